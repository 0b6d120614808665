"""Random networks: see random_networks.py. Some are run, all with --all."""

from case import Family
from random_networks import COUNT, make
from training import Training

FAMILY = Family("random", Training)
FAMILY.cases = [make(number) for number in range(COUNT)]
