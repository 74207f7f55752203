"""HTTP service: keeps maps open and localizes photos sent by POST.

Needs the extra ``serve`` (fastapi, uvicorn, python-multipart, prometheus-client). Only this package
imports them.
"""
