"""The HTTP service: maps that stay open, and answer photos sent by POST.

Needs the extra ``serve`` (fastapi, uvicorn, python-multipart, prometheus-client); nothing outside
of this room and its verb imports them.
"""
