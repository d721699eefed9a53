"""Files of pairs from their sources: every core, resumable, nothing overwritten or half-written."""

import functools
import os
import typing

from tqdm import tqdm

from pix2pix_tf.pairs import building, records, split
from pix2pix_tf.pairs.match import Found, Sources
from pix2pix_tf.system import files, locks
from pix2pix_tf.system.errors import DataError, Pix2PixError, UsageError
from pix2pix_tf.system.processes import each

Build = typing.Callable[[building.Settings, Sources], typing.Tuple[bytes, ...]]


class Output(typing.NamedTuple):
    """Where the pairs go."""

    to: str
    recipe: records.Recipe
    found: typing.Dict[str, str] = {}  # for the record
    folders: typing.Tuple[str, ...] = ('',)  # in `to`; each gets one of the files that are built
    shares: typing.Optional[split.Shares] = None
    group: typing.Optional[str] = None  # a regular expression
    processes: typing.Optional[int] = None  # one per core


class Made(typing.NamedTuple):
    """What `make` returns."""

    made: int  # new pairs
    present: int  # pairs that were there before
    left_out: typing.List[str]  # a line for each file that has no pair
    others: typing.List[str]  # a line for each file that is no image
    parts: typing.Dict[str, int]  # the number of pairs in each part


class _Job(typing.NamedTuple):
    sources: Sources
    targets: typing.Tuple[str, ...]


def make(found: Found, build: Build, settings: building.Settings, output: Output) -> Made:
    """Builds the pairs of `found` that `output` lacks.

    Raises:
        UsageError: the folder was made in another way.
        Pix2PixError: a file cannot be written, another process works in the folder, or a worker
            process was killed.
    """
    to = output.to
    records.read(to, output.recipe)  # refuses before anything is written
    files.prepare_directory(to)
    with locks.locked(to, work='making pairs'):
        record = records.read(to, output.recipe)
        first = dict(output.found, extension=settings.extension)
        record = record._replace(found=record.found or first)
        settings = settings._replace(extension=record.found['extension'])
        _remove_unfinished(to)
        left_out = list(found.left_out)
        if output.shares:
            record, torn = _split(found, settings, output, record)
            left_out += torn
        records.write(to, record)
        jobs, unnamed = _plan(found, settings, output, record)
        todo = [job for job in jobs if not all(map(os.path.exists, job.targets))]
        for folder in {os.path.dirname(target) for job in todo for target in job.targets}:
            files.prepare_directory(folder)
        faults = _run(functools.partial(_make, build, settings), todo, 'make', output.processes)
        left_out += unnamed + [fault for _, fault in faults if fault]
    failed = {job.targets for job, fault in faults if fault}
    parts = dict.fromkeys(output.shares or (), 0)
    for job in jobs:
        if output.shares and job.targets not in failed:
            parts[record.parts[job.sources.key]] += 1
    present = len(jobs) - len(todo)
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


def _split(found, settings, output, record):
    """(`record` with the parts of all sources, a line for each source that has none)."""
    new = [one for one in found.sources if one.key not in record.parts]
    results = _run(functools.partial(_hash, settings), new, 'compare', output.processes)
    hashes = dict(record.hashes)
    hashes.update({one.key: value for one, (value, _) in results if value})
    groups = {key: split.group_of(key, output.group) for key in hashes}
    assigned = split.assign(groups, hashes, record.parts, output.shares, settings.seed)
    left_out = [fault for _, (_, fault) in results if fault]
    paths = {one.key: one.paths[0] for one in found.sources}
    for key, others in assigned.torn.items():
        del hashes[key]
        left_out.append(
            f'{paths[key]} belongs to {" and ".join(others)}, which are in different parts'
        )
    parts = dict(record.parts, **assigned.parts)
    return record._replace(parts=parts, hashes=hashes), left_out


def _plan(found, settings, output, record):
    """(a _Job for each source that has a part, a line for each that cannot have a file)."""
    jobs: typing.List[_Job] = []
    left_out: typing.List[str] = []
    owners: typing.Dict[str, str] = {}
    for one in found.sources:
        name = one.key
        if output.shares:
            if name not in record.parts:
                continue
            # A training does not search subfolders
            name = os.path.join(record.parts[name], name.replace('/', '-'))
        names = [os.path.join(folder, name + '.' + settings.extension) for folder in output.folders]
        path = one.paths[0]
        longest = len(os.fsencode(os.path.basename(names[0])))
        if longest > files.MAX_NAME_BYTES:
            left_out.append(f'{path} has a name that is too long: shorten it')
        elif names[0] in owners:
            left_out.append(f'{path} would have the name of {owners[names[0]]}: rename one')
        else:
            owners[names[0]] = path
            jobs.append(_Job(one, tuple(os.path.join(output.to, name) for name in names)))
    return jobs, left_out


def _hash(settings, sources):
    """(the hash of a source, None), or (None, why there is none)."""
    try:
        return building.first_hash(settings, sources), None
    except DataError as error:
        return None, str(error)


def _make(build, settings, job):
    """Writes the files of a job. Returns None, or why it cannot."""
    try:
        built = build(settings, job.sources)
    except DataError as error:
        return str(error)
    except Pix2PixError:
        raise
    except Exception as error:  # an image that the libraries cannot process, such as a tiny one
        return f'{job.sources.paths[0]} cannot be made into a pair ({" ".join(str(error).split())})'
    missing = {t: data for t, data in zip(job.targets, built) if not os.path.exists(t)}
    files.write_together(missing)
    return None
