"""Models of brand risk. Imports no Django, Celery or DRF: everything here also runs from
`python -m ml …` without the platform."""
