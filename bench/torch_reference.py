"""The networks as PyTorch's pix2pix implementations usually build them, in the post's shapes."""

import torch
from torch import nn

NGF = NDF = 64


class Generator(nn.Module):
    """The U-Net: eight convolutions down and eight up, with skip connections."""

    def __init__(self):
        super().__init__()
        widths = [NGF * factor for factor in (1, 2, 4, 8, 8, 8, 8, 8)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for depth, width in enumerate(widths):
            layers = [nn.LeakyReLU(0.2)] if depth else []
            layers.append(nn.Conv2d(widths[depth - 1] if depth else 3, width, 4, 2, 1, bias=False))
            if 0 < depth < 7:  # the innermost layer has a single pixel: nothing to normalize
                layers.append(nn.BatchNorm2d(width))
            self.down.append(nn.Sequential(*layers))
        for depth in reversed(range(8)):
            into = widths[depth] * (1 if depth == 7 else 2)
            width = widths[depth - 1] if depth else 3
            layers = [nn.ReLU(), nn.ConvTranspose2d(into, width, 4, 2, 1, bias=False)]
            layers.append(nn.BatchNorm2d(width) if depth else nn.Tanh())
            self.up.append(nn.Sequential(*layers, *([nn.Dropout(0.5)] if depth > 4 else [])))

    def forward(self, x):
        skipped = []
        for layer in self.down:
            x = layer(x)
            skipped.append(x)
        for number, layer in enumerate(self.up):
            x = layer(x if number == 0 else torch.cat([x, skipped[7 - number]], 1))
        return x


def discriminator():
    """The PatchGAN: five convolutions."""
    widths = [6, NDF, NDF * 2, NDF * 4, NDF * 8, 1]
    layers = []
    for number in range(5):
        stride = 2 if number < 3 else 1
        layers.append(nn.Conv2d(widths[number], widths[number + 1], 4, stride, 1, bias=False))
        if 0 < number < 4:
            layers.append(nn.BatchNorm2d(widths[number + 1]))
        layers += [nn.LeakyReLU(0.2)] if number < 4 else []
    return nn.Sequential(*layers)


def train_step(images, bfloat16=False):
    """A function that trains both networks for one step on `images` [batch, height, width, 3]."""
    images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    networks = Generator().train(), discriminator().train()
    generator, judge = networks
    optimizers = [torch.optim.Adam(n.parameters(), lr=0.0002, betas=(0.5, 0.999)) for n in networks]
    loss = nn.BCEWithLogitsLoss()

    def judged(outputs, real):
        answers = judge(torch.cat([images, outputs], 1))
        return loss(answers.float(), torch.full_like(answers, float(real), dtype=torch.float32))

    def step():
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
            train()

    def train():
        outputs = generator(images)
        judge.requires_grad_(True)
        optimizers[1].zero_grad()
        (judged(images, True) + judged(outputs.detach(), False)).backward()
        optimizers[1].step()
        judge.requires_grad_(False)  # its gradients are not needed now
        optimizers[0].zero_grad()
        (judged(outputs, True) + 100 * (images - outputs).abs().mean()).backward()
        optimizers[0].step()

    return step
