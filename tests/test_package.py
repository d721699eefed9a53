"""`import pix2pix_tf`: what it offers, and that it is quick."""

import inspect
import os
import sys
from dataclasses import replace

import pytest
from support.helpers import NARROW, run_process

import pix2pix_tf
from pix2pix_tf import exporting, training
from pix2pix_tf.config import Config
from pix2pix_tf.inference import generator


def test_the_public_names_train_export_evaluate_and_load(pairs, tmp_path):
    out = str(tmp_path)
    assert pix2pix_tf.Config is Config
    assert pix2pix_tf.train(pairs, out, replace(NARROW, max_steps=1)).step == 1
    exported = pix2pix_tf.export(pairs, out)
    assert os.path.exists(exported.page)
    assert set(pix2pix_tf.evaluate(pairs, out).summaries) == set(exported.report.summaries)
    with pix2pix_tf.load(out) as loaded:
        assert loaded.step == 1


FUNCTIONS = [training.train, exporting.export, exporting.evaluate, generator.load]


@pytest.mark.parametrize('function', FUNCTIONS)
def test_a_public_name_is_documented_by_the_function_that_it_calls(function):
    public = getattr(pix2pix_tf, function.__name__)
    module = function.__module__[len('pix2pix_tf.') :]
    assert inspect.getdoc(public).endswith(f'see `{module}.{function.__name__}`.')


def test_the_package_imports_without_tensorflow_and_numpy():
    script = 'import sys, pix2pix_tf; print({"numpy", "tensorflow"} & set(sys.modules))'
    assert run_process(sys.executable, '-c', script).stdout == 'set()\n'
