"""How much sooner two nodes of one core each are done than one: `compare --seeds 4` of a GRU on the sample.

python benchmarks/cluster_bench.py
"""

import tempfile
import time

from ray.cluster_utils import Cluster

from forecaster.api import compare_on
from forecaster.cluster import cluster, slots
from forecaster.home import Home
from forecaster.settings import Recipe


def main() -> None:
    """Print the seconds of each, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        home.fetch(source="sample")
        recipe = Recipe()
        data = home.training_set(recipe=recipe)
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            took = []
            for count in (1, 2):
                if count == 2:
                    nodes.add_node(num_cpus=1)
                    nodes.wait_for_nodes()
                with cluster(nodes.address):
                    while slots() < count:
                        time.sleep(0.2)
                    begun = time.perf_counter()
                    compare_on(data, ("gru",), recipe, seeds=4, jobs=1)
                    took.append(time.perf_counter() - begun)
                print(f"{count} node{'s' * (count > 1)}: {took[-1]:.0f} s")
            print(f"two are {took[0] / took[1]:.2f} × as fast as one")
        finally:
            nodes.shutdown()


if __name__ == "__main__":
    main()
