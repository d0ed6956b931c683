"""Pictures with captions: the one layout that training reads, and readers of the layouts data sets are published in.

`DATA/captions.jsonl` holds one picture a line: {"image": path, "split": "train"|"dev"|"test", "captions": [...]}.
A relative path starts at DATA. `DATA/boxes.json.gz`, where there is one, names the true place of words; see
`training.data.datasets.boxes`. `training.data.datasets.sources` lists the layouts that can be read.
"""

from training.data.datasets.boxes import read_boxes, write_boxes
from training.data.datasets.examples import SPLITS, Example, of_split, read_dataset, write_dataset

__all__ = ["SPLITS", "Example", "of_split", "read_boxes", "read_dataset", "write_boxes", "write_dataset"]
