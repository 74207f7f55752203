"""Evaluation of image retrieval by the protocols of its data sets.

A ranking of database images for each query is scored against a ``RetrievalTruth``. Which images
are ignored, what becomes of queries without a right image, and which mean is printed, differs
between the data sets: ``protocols.PROTOCOLS`` has a row for each.
"""
