"""Starts, watches and stops everything one installation runs (`manage.py up`).

`policy` decides, `manager` does; `specs` says what runs, `plan` at which addresses, `secrets` holds
what was generated once.
"""
