"""A manifest as a folder that other tools read: COCO, YOLO, Pascal VOC, CSV, Parquet."""
