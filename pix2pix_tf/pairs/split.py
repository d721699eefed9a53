"""The parts of a dataset, such as train, val and test, and which pair belongs to which."""

import collections
import hashlib
import re
from typing import Dict, List, NamedTuple, Optional

from pix2pix_tf.pairs import duplicates
from pix2pix_tf.system.errors import UsageError

Shares = Dict[str, float]  # of the parts, in the order in which they were given


def parse_shares(text: str) -> Shares:
    """{'train': 0.8, 'val': 0.2} of 'train:0.8,val:0.2'.

    Raises:
        UsageError: it is not such a list, or the shares do not add up to 1.
    """
    found = re.findall(r'([A-Za-z]\w*):([0-9]*\.?[0-9]+)', text)
    shares = {name: float(share) for name, share in found}
    whole = ','.join(f'{name}:{share}' for name, share in found)
    if whole != text or len(shares) < len(found):
        raise UsageError(f'`split` is {text!r}: write it as train:0.8,val:0.1,test:0.1')
    if abs(sum(shares.values()) - 1) > 0.001 or min(shares.values()) <= 0:
        raise UsageError(f'`split` is {text!r}: the shares must be above 0 and add up to 1')
    return shares


def group_of(key: str, pattern: Optional[str]) -> str:
    """The groups of `pattern` in the name of a file, by which files belong together; else the key.

    Raises:
        UsageError: `pattern` is not a regular expression with a group.
    """
    if pattern is None:
        return key
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f'`group` is {pattern!r}: {error}') from error
    if not compiled.groups:
        raise UsageError(f'`group` is {pattern!r}: put what files share in parentheses')
    found = compiled.match(key.rpartition('/')[2])
    return '\n'.join(part or '' for part in found.groups()) if found else key


class Assigned(NamedTuple):
    """The parts of the new pairs."""

    parts: Dict[str, str]  # {key: part}, of the new keys
    torn: Dict[str, List[str]]  # {new key without a part: the keys of two parts it belongs to}


def assign(
    groups: Dict[str, str],
    hashes: Dict[str, bytes],
    known: Dict[str, str],
    shares: Shares,
    seed: int,
) -> Assigned:
    """Assigns a part to every key: the same to all keys of a group, and to near-duplicates.

    `groups` and `hashes` have every key; `known` has the parts of older keys, which
    keep them. A new key that belongs to keys of two parts gets none.
    """
    clusters = _clusters(groups, hashes)
    counts = collections.Counter(known.values())
    goals = {part: max(1.0, share * len(groups)) for part, share in shares.items()}
    parts: Dict[str, str] = {}
    torn: Dict[str, List[str]] = {}
    for cluster in sorted(clusters, key=lambda keys: _shuffled(seed, keys[0])):
        new = [key for key in cluster if key not in known]
        owners = {known[key]: key for key in cluster if key in known}
        if len(owners) > 1:
            torn.update({key: sorted(owners.values()) for key in new})
            continue
        if owners:
            [part] = owners
        else:
            # The part furthest below its share; ties go to the smaller share
            part = max(shares, key=lambda p: (round(goals[p] - counts[p], 6), -shares[p]))
        parts.update(dict.fromkeys(new, part))
        counts[part] += len(new)
    return Assigned(parts, torn)


def _shuffled(seed, key):
    return hashlib.sha256(f'{seed}/{key}'.encode('utf-8', 'surrogateescape')).digest()


def _clusters(groups, hashes):
    """Lists of keys that must stay together, each sorted."""
    keys = sorted(groups)
    parent = {key: key for key in keys}

    def root(key):
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    first: Dict[str, str] = {}
    for key in keys:
        parent[root(key)] = root(first.setdefault(groups[key], key))
    hashed = [hashes[key] for key in keys]
    for one, other in duplicates.near_pairs(hashed, hashed, duplicates.NEAR):
        parent[root(keys[one])] = root(keys[other])
    clusters: Dict[str, List[str]] = {}
    for key in keys:
        clusters.setdefault(root(key), []).append(key)
    return list(clusters.values())
