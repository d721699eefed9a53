"""Makes the files of pairs: on every core, resumable, nothing overwritten or half-written."""

import functools
import os
import traceback
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from tqdm import tqdm

from pix2pix_tf.pairs import halves, split
from pix2pix_tf.pairs.halves import PairOptions
from pix2pix_tf.pairs.match import Found, PairFiles
from pix2pix_tf.pairs.record import Recipe, read_record, write_record
from pix2pix_tf.system import files, locks
from pix2pix_tf.system.errors import DataError, Pix2PixError, UsageError
from pix2pix_tf.system.processes import each

Build = Callable[[PairOptions, PairFiles], Tuple[bytes, ...]]  # the contents of the files
HashOf = Callable[[PairOptions, PairFiles], bytes]  # perceptual, to find near-duplicates


class Output(NamedTuple):
    """Where the pairs go."""

    to: str
    recipe: Recipe
    found: Dict[str, str] = {}  # for the record
    folders: Tuple[str, ...] = ('',)  # in `to`; each gets one of the files of `Build`
    shares: Optional[split.Shares] = None
    group: Optional[str] = None  # a regular expression
    processes: Optional[int] = None  # one per core
    legend: Dict[str, str] = {}  # {class id: color}, for the record


class Made(NamedTuple):
    """What `make_pairs` has done."""

    made: int  # new pairs
    present: int  # pairs that were there before
    left_out: List[str]  # a line for each file that has no pair
    others: List[str]  # a line for each file that is not an image
    parts: Dict[str, int]  # the number of pairs in each part


class _Planned(NamedTuple):
    """The files of one pair, which may exist already."""

    source: PairFiles
    targets: Tuple[str, ...]


def make_pairs(
    found: Found,
    build: Build,
    options: PairOptions,
    output: Output,
    hash_of: HashOf = halves.hash_of,
) -> Made:
    """Makes the pairs of `found` that are missing from the folder `output.to`.

    Raises:
        UsageError: the folder was made in another way.
        Pix2PixError: a file cannot be written, another process works in the folder, or a worker
            process was killed.
    """
    to = output.to
    read_record(to, output.recipe)  # an error here leaves everything as it was
    files.prepare_directory(to)
    with locks.locked(to, work='making pairs'):
        record = read_record(to, output.recipe)
        first = dict(output.found, extension=options.extension)
        legend = dict(record.legend, **output.legend)
        record = record._replace(found=record.found or first, legend=legend)
        options = options._replace(extension=record.found['extension'])
        _remove_unfinished(to)
        left_out = list(found.left_out)
        if output.shares:
            hasher = functools.partial(_hash, hash_of, options)
            record, torn = _split(found, hasher, options.seed, output, record)
            left_out += torn
        write_record(to, record)
        planned, unnamed = _plan(found, options, output, record)
        todo = [one for one in planned if not all(map(os.path.exists, one.targets))]
        for folder in {os.path.dirname(target) for one in todo for target in one.targets}:
            files.prepare_directory(folder)
        faults = _run(functools.partial(_make, build, options), todo, 'make', output.processes)
        left_out += unnamed + [fault for _, fault in faults if fault]
    failed = {one.targets for one, fault in faults if fault}
    parts = dict.fromkeys(output.shares or (), 0)
    for one in planned:
        if output.shares and one.targets not in failed:
            parts[record.parts[one.source.key]] += 1
    present = len(planned) - len(todo)
    return Made(len(todo) - len(failed), present, left_out, found.others, parts)


def check_apart(to: str, *sources: str) -> None:
    """Checks that a folder of pairs is not in one of its sources, or around it.

    Raises:
        UsageError: it is.
    """
    target = os.path.realpath(to)
    for source in sources:
        real = os.path.realpath(source)
        if os.path.commonpath([target, real]) in (target, real):
            raise UsageError(f'`to` is {to}, and {source} is in it or around it: choose another')


def _remove_unfinished(to):
    """Removes what a killed process was writing."""
    for folder, _, _ in os.walk(to):
        files.remove_unfinished(folder, seconds=0)


def _run(function, items, words, processes):
    """[(item, function(item))] of all items, with a progress bar."""
    with tqdm(desc=words, total=len(items), unit='pairs', disable=None) as bar:
        results = []
        for result in each(function, items, processes):
            results.append(result)
            bar.update()
    return results


def _split(found, hasher, seed, output, record):
    """(`record` with the part of each pair, a line for each pair that has none)."""
    new = [one for one in found.pairs if one.key not in record.parts]
    results = _run(hasher, new, 'compare', output.processes)
    hashes = dict(record.hashes)
    hashes.update({one.key: value for one, (value, _) in results if value})
    groups = {key: split.group_of(key, output.group) for key in hashes}
    assigned = split.assign(groups, hashes, record.parts, output.shares, seed)
    left_out = [fault for _, (_, fault) in results if fault]
    paths = {one.key: one.paths[0] for one in found.pairs}
    for key, others in assigned.torn.items():
        del hashes[key]
        left_out.append(
            f'{paths[key]} belongs to {" and ".join(others)}, which are in different parts'
        )
    parts = dict(record.parts, **assigned.parts)
    return record._replace(parts=parts, hashes=hashes), left_out


def _plan(found, options, output, record):
    """([_Planned] of the pairs that have a part, a line for each that cannot have a file)."""
    planned: List[_Planned] = []
    left_out: List[str] = []
    owners: Dict[str, str] = {}
    for one in found.pairs:
        name = one.key
        if output.shares:
            if name not in record.parts:
                continue
            # A training does not search subfolders
            name = os.path.join(record.parts[name], name.replace('/', '-'))
        names = [os.path.join(folder, name + '.' + options.extension) for folder in output.folders]
        path = one.paths[0]
        longest = len(os.fsencode(os.path.basename(names[0])))
        if longest > files.MAX_NAME_BYTES:
            left_out.append(f'{path} has a name that is too long: shorten it')
        elif names[0] in owners:
            left_out.append(f'{path} would have the name of {owners[names[0]]}: rename one')
        else:
            owners[names[0]] = path
            planned.append(_Planned(one, tuple(os.path.join(output.to, name) for name in names)))
    return planned, left_out


def _hash(hash_of, options, source):
    """(the hash of a pair, None), or (None, a line that says why it has none)."""
    try:
        return hash_of(options, source), None
    except DataError as error:
        return None, str(error)


def _make(build, options, one):
    """Writes the missing files of a pair. Returns None, or a line that says why it cannot."""
    try:
        built = build(options, one.source)
    except DataError as error:
        return str(error)
    except Pix2PixError:
        raise
    except Exception as error:  # an image that the libraries cannot process, or a bug
        if os.environ.get('TF_CPP_MIN_LOG_LEVEL') == '0':  # details are wanted
            traceback.print_exc()
        words = f'{type(error).__name__}: {" ".join(str(error).split())}'
        return f'{one.source.paths[0]} cannot be made into a pair ({words})'
    missing = {t: data for t, data in zip(one.targets, built) if not os.path.exists(t)}
    files.write_together(missing)
    return None
