"""Archives of datasets."""

import io
import tarfile


def archive(files, **special):
    """Bytes of a .tar.gz with these {name: contents} and TarInfo attributes for the last."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w:gz') as tar:
        for name, contents in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            for key, value in special.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(contents))
    return stream.getvalue()
