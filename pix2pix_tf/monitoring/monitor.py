"""What to look at while a model trains, and when."""

from pix2pix_tf.monitoring import losses, summaries
from pix2pix_tf.monitoring.progress import REPORTED, say
from pix2pix_tf.monitoring.validation import Validation


class Watch:
    """What is to be seen of a run beside its progress, and when.

    Built into the default graph, behind the model. Raises DataError where `val_dir` or one of its
    files can't be used.
    """

    def __init__(self, batches, model, out_dir, val_dir, config, skip_bad_files=False):
        self.out_dir, self.config = out_dir, config
        self.scalars = {
            'averages': {name: getattr(model, name + '_average') for name in REPORTED.values()},
            'gen_loss': model.gen_loss,
            'predict_real': model.predict_real,
            'predict_fake': model.predict_fake,
        }
        self.summaries = {}  # {name: (steps between two, op)}
        if config.display_freq:
            op = summaries.build_pictures(batches.inputs, batches.targets, model)
            self.summaries['pictures'] = config.display_freq, op
        if config.histogram_freq:
            self.summaries['histograms'] = config.histogram_freq, summaries.build_histograms(model)
        self.validation = None
        if val_dir and (config.display_freq or config.eval_freq):
            self.validation = Validation(val_dir, out_dir, config, skip_bad_files)

    def start(self, writer, first_step):
        """Goes on from `first_step` with what is written, to TensorBoard by `writer`."""
        self.writer = writer
        self.recorder = losses.Recorder(self.out_dir, writer, first_step)
        if self.validation:
            self.validation.forget_after(first_step)

    def fetches(self, should):
        """What to fetch beside the step; `should(freq)` says whether something is due."""
        fetches = {name: op for name, (freq, op) in self.summaries.items() if should(freq)}
        if should(self.config.summary_freq) or should(self.config.progress_freq):
            fetches.update(self.scalars)
        return fetches

    def record(self, session, step, should, results, rate, stop):
        """Writes what is due of `results`; once `stop` is set, looks at nothing further."""
        for name in self.summaries:
            if name in results:
                self.writer.add_summary(results[name], step)
        values = {}
        if should(self.config.summary_freq):
            values = losses.scalars(results, rate, self.config)
        evaluating = self.validation and should(self.config.eval_freq)
        if evaluating:
            values.update(self.validation.evaluate(session, stop))
        if values:
            self.recorder.add(step, values)
        if evaluating and losses.BEST_BY in values:
            say(self._describe(step, values))
        if self.validation and should(self.config.display_freq) and not stop.is_set():
            self.validation.display(session, step)

    def _describe(self, step, values):
        figures = '  '.join(
            f'{n} {values[column]:.4f}' for column, n in losses.VALIDATION.items()
        )
        best = losses.best_step(self.recorder.rows)
        compared = 'the best so far' if best == step else f'the best was step {best}'
        return f'validation  {figures}  on {len(self.validation.paths)} pictures, {compared}'
