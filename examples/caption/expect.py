#!/usr/bin/env python3
"""Caption the held-out pictures with PyTorch, and write caption.answers.

A line has a picture's caption by greedy decoding, a tab, and the one that four beams find. The weights are those of
caption.safetensors, which nnc-train learned; PyTorch has them in float64. Needs PyTorch and safetensors.
"""

import pathlib

import torch
from torch import nn

import convert  # first: it says where what the examples share is
import reference
from convert import END, FIRST, START, WORDS
from reference import conv, dense, flatten

HERE = pathlib.Path(__file__).parent
LONGEST, BEAMS = 6, 4


class Captioner:
    """The network of caption.nn."""

    def __init__(self, w: reference.Weights):
        self.w = w

    def look(self, pictures: torch.Tensor) -> torch.Tensor:
        """[n, height, width] -> [n, width of the code]."""
        x = pictures[:, None] / 16
        for layer in ("conv1", "conv2"):
            x = nn.functional.max_pool2d(conv(x, self.w, layer), 2)
        return torch.tanh(dense(flatten(x), self.w, "dense1"))

    def speak(self, code: torch.Tensor, h: torch.Tensor, words: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The new state, and the logarithm of each word's probability, after these words."""
        x = torch.cat([self.w["embed1.table"][words], code], 1)
        w, own = self.w, {name: self.w[f"gru_cell1.{name}"] for name in ("br", "bz", "bn", "cn")}
        r = torch.sigmoid(x @ w["gru_cell1.Wr"].T + h @ w["gru_cell1.Rr"].T + own["br"])
        z = torch.sigmoid(x @ w["gru_cell1.Wz"].T + h @ w["gru_cell1.Rz"].T + own["bz"])
        new = torch.tanh(x @ w["gru_cell1.Wn"].T + own["bn"] + r * (h @ w["gru_cell1.Rn"].T + own["cn"]))
        h = new + z * (h - new)
        return h, torch.log_softmax(dense(h, self.w, "dense2"), 1)

    def search(self, code: torch.Tensor, beams: int) -> list[int]:
        """The likeliest caption of one picture, its end left out: at each step the `beams` likeliest beginnings are kept,
        of equals the one of the likelier beginning."""
        kept = [(0.0, code, [])]  # the logarithm of the probability, the state, the words
        for _ in range(LONGEST):
            if kept[0][2][-1:] == [END]:
                break
            candidates = []
            for score, h, words in kept:
                if words[-1:] == [END]:
                    candidates.append((score, h, words))
                    continue
                h, scores = self.speak(code, h, torch.tensor([words[-1] if words else START]))
                candidates += [(score + float(s), h, [*words, word]) for word, s in enumerate(scores[0])]
            candidates.sort(key=lambda candidate: -candidate[0])
            kept = candidates[:beams]
        return [word for word in kept[0][2] if word != END]


def tell(words: list[int]) -> str:
    return " ".join(WORDS[word - FIRST] if word >= FIRST else "?" for word in words)


def main() -> None:
    w, output = reference.begin(__doc__, HERE / "caption.safetensors", HERE / "caption.answers")
    captioner = Captioner(w)
    rows = convert.make_rows("held-out")
    pictures = torch.tensor([[list(line) for line in row.picture] for row in rows], dtype=torch.float64)
    with torch.inference_mode(), open(output, "w") as file:
        for code in captioner.look(pictures).split(1):
            file.write(f"{tell(captioner.search(code, 1))}\t{tell(captioner.search(code, BEAMS))}\n")


if __name__ == "__main__":
    main()
