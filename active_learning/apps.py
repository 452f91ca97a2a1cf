from django.apps import AppConfig


class ActiveLearningConfig(AppConfig):
    name = "active_learning"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from active_learning import listening  # it needs the models, which are loaded by now

        listening.connect()
