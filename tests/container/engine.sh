#!/usr/bin/env bash
# Functions for tests/container/run.sh: start a Docker engine that needs no registry, bridge or firewall.
# They need root, work inside a container, and write everything to $WORK.
install_engine() {
    [ -x /usr/sbin/dockerd ] && return
    apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends -o Dpkg::Options::=--force-unsafe-io docker.io
}

# Without a bridge, builds and containers use the network of the host.
start_engine() {
    dockerd --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
        --data-root "$WORK/docker" --exec-root "$WORK/exec" --pidfile "$WORK/dockerd.pid" \
        -H "unix://$WORK/docker.sock" >"$WORK/dockerd.log" 2>&1 &
    daemon=$!
    trap stop_engine EXIT
    export DOCKER_HOST=unix://$WORK/docker.sock DOCKER_BUILDKIT=1
    mkdir -p "$WORK/bin"
    cat >"$WORK/bin/docker" <<'WRAPPER'
#!/bin/sh
verb=$1
shift
case $verb in
    build | run) exec /usr/bin/docker "$verb" --network host "$@" ;;
    *) exec /usr/bin/docker "$verb" "$@" ;;
esac
WRAPPER
    chmod +x "$WORK/bin/docker"
    export PATH=$WORK/bin:$PATH
    for _ in $(seq 240); do
        docker info >/dev/null 2>&1 && return
        sleep 0.5
    done
    cat "$WORK/dockerd.log" >&2
    return 1
}

stop_engine() {
    kill "$daemon" && wait "$daemon" || true
    umount "$WORK/exec/netns/default" 2>/dev/null || true
    rm -rf "$WORK"
}

# Imports a substitute for the base image $1 under its name: the Python $2 (3.6), an old pip and the CPU
# build of TensorFlow 1.15.0, with the system libraries and the few programs that the Dockerfile calls.
import_base() {
    local base=$1 python=$2 root=$WORK/root prefix version programs
    prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    mkdir -p "$root"/{usr/{bin,sbin,lib,lib64,local},etc/{default,ssl/certs},home,root,dev,proc,sys}
    mkdir -p -m 1777 "$root"/tmp "$root"/var/tmp
    for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
    tar -C "$prefix" --exclude='*.a' --exclude=test --exclude=__pycache__ \
        --exclude='site-packages/*.pth' -cf - bin lib | tar -C "$root/usr/local" -xf -
    ln -sfn python3 "$root/usr/local/bin/python"

    # What TensorFlow needs; the Dockerfile installs the rest
    grep -E '^(astor|gast|google-pasta|h5py|importlib|keras|numpy|opt-einsum|protobuf|six|tensorboard|tensorflow-estimator|termcolor|typing-ext|wrapt|zipp|dataclasses)' \
        requirements/tf1.txt >"$WORK/base.txt"
    printf '%s\n' absl-py==0.8.1 tensorflow-cpu==1.15.0 >>"$WORK/base.txt"
    base_pip pip==19.3.1 setuptools==41.4.0 wheel==0.33.6
    base_pip --no-compile -r "$WORK/base.txt"
    rm -r "$root/usr/local/lib/python$version/site-packages/tensorflow_core/include" # thousands of headers
    # Compiled as in the real base, where containers cannot write
    env -u PYTHONDONTWRITEBYTECODE "LD_LIBRARY_PATH=$root/usr/local/lib" \
        "$root/usr/local/bin/python3" -c 'import tensorflow' >>"$WORK/pip.log" 2>&1
    base_pip pip==19.2.3 # as old as in the real base, which the Dockerfile must handle

    programs=$(for name in sh bash env mkdir chmod useradd id ls cat rm touch ldconfig; do
        command -v "$name"
    done)
    # shellcheck disable=SC2086 # one program a word
    {
        printf '%s\n' $programs /etc/{nsswitch.conf,login.defs,default/useradd} \
            /etc/ssl/certs/ca-certificates.crt
        ls /lib/x86_64-linux-gnu/libnss_files.so.2
        { printf '%s\n' $programs "$root/usr/local/bin/python$version"
          find "$root/usr/local" -name '*.so*' -type f; } |
            LD_LIBRARY_PATH=$root/usr/local/lib xargs -n 50 ldd 2>/dev/null |
            grep -o '/[^ ]*' | grep -v ':$' | grep -v "^$root"
    } | sort -u | while read -r file; do
        [ ! -f "$file" ] || cp -L --parents "$file" "$root"
    done
    grep -E '^(root|daemon|nobody):' /etc/passwd >"$root/etc/passwd"
    grep -E '^(root|daemon|nogroup):' /etc/group >"$root/etc/group"
    echo /usr/local/lib >"$root/etc/ld.so.conf"
    chroot "$root" ldconfig
    tar -C "$root" -cf - . | docker import \
        --change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
        --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        - "$base" >/dev/null
    rm -rf "$root"
}

# Installs packages into the substitute, by its Python.
base_pip() {
    LD_LIBRARY_PATH=$WORK/root/usr/local/lib "$WORK"/root/usr/local/bin/python3 -m pip install -q \
        --no-deps --no-cache-dir "$@" >>"$WORK/pip.log" 2>&1 || { tail -n 20 "$WORK/pip.log"; return 1; }
}
