"""Shards: each of several processes takes a part of the images."""

import re
import typing

from pix2pix_tf.system.errors import UsageError

T = typing.TypeVar('T')


class Shard(typing.NamedTuple):
    """One of `total` parts of the images; `number` counts from 1."""

    number: int = 1
    total: int = 1

    def take(self, items: typing.Sequence[T]) -> typing.List[T]:
        """The items of this part: every `total`-th."""
        return list(items[self.number - 1 :: self.total])


def parse(words: typing.Optional[str]) -> Shard:
    """'2/3' => the second of three shards; without words, the only one.

    Raises:
        UsageError: the words are invalid.
    """
    if not words:
        return Shard()
    match = re.fullmatch('([0-9]+)/([0-9]+)', words)
    shard = Shard(*map(int, match.groups())) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.total:
        raise UsageError(f'`shard` is {words}: it must be like 2/3, the second of three parts')
    return shard
