"""Trains the network of each library for two steps at rate 0, with examples of one length and of different ones, and
says whether running statistics and loss are those of the first library, which goes back through all steps at once.

    batch_norm.py RUNTIME LIBRARY...
"""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "conformance"))

from library import Model, Network, Runtime, TrainingContext

random = np.random.default_rng(0)
x, goal = (random.normal(size=(5, 9, size)).astype(np.float32) for size in (3, 4))
wanted = {}
for path in sys.argv[2:]:
    model = Model(Network(Runtime(sys.argv[1]), pathlib.Path(path), "recurrent"), "avx2")
    for ragged in (None, np.array([9, 2, 5, 9, 1], np.int32)):
        context, loss = TrainingContext(model, 5, [9]), np.zeros(1, np.float32)
        for _ in range(2):
            context.step(5, [9], [ragged], [x, goal, loss])
        names = [f"batch_norm{layer}.{kind}" for layer in (1, 2) for kind in ("mean", "variance")]
        found = np.concatenate([model.read(name, (4,)) for name in names])
        statistics, right = wanted.setdefault(ragged is None, (found, loss))
        same = np.array_equal(found, statistics) and abs(loss - right) < 1e-5
        print("same" if same else f"other: {found - statistics}, {loss - right}")
        context.close()
