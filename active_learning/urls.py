from django.urls import path

from active_learning.views import brands, comparing, embeddings, registry, rounds, training

urlpatterns = [
    path("rounds/", rounds.round_list, name="rounds"),
    path("rounds/open/", rounds.round_open, name="round-open"),
    path("rounds/<int:number>/", rounds.round_detail, name="round"),
    path("rounds/<int:number>/cancel/", rounds.round_cancel, name="round-cancel"),
    path("rounds/<int:number>/retry/", rounds.round_retry, name="round-retry"),
    path("brands/", brands.brand_list, name="brands"),
    path("brands/<str:key>/", brands.brand_detail, name="brand"),
    path("training/", training.run_list, name="training"),
    path("training/request/", training.run_request, name="run-request"),
    path("training/<int:pk>/", training.run_detail, name="run"),
    path("training/<int:pk>/cancel/", training.run_cancel, name="run-cancel"),
    path("training/<int:pk>/resume/", training.run_resume, name="run-resume"),
    path("cases/embedding/", embeddings.state, name="embedding-state"),
    path("cases/embedding/cancel/", embeddings.cancel, name="embedding-cancel"),
    path("cases/embedding/resume/", embeddings.resume, name="embedding-resume"),
    path("cases/by-picture/", embeddings.search, name="picture-search"),
    path("cases/by-picture/<int:pk>/", embeddings.result, name="picture-search-result"),
    path("datasets/", training.dataset_list, name="datasets"),
    path("datasets/<str:sha256>/", training.dataset_detail, name="dataset"),
    path("models/", registry.release_list, name="models"),
    path("models/versions/", registry.model_list, name="model-versions"),
    path("models/<str:kind>/<int:number>/", registry.model_detail, name="model"),
    path("models/roll-back/", registry.roll_back, name="roll-back"),
    path("releases/compare/", comparing.compare_releases, name="compare-releases"),
    path("releases/measure/", comparing.measure_releases, name="measure-releases"),
    path("releases/<int:number>/download/", comparing.release_download, name="release-download"),
    path("releases/<int:number>/", registry.release_detail, name="release"),
    path("releases/<int:number>/promote/", registry.release_promote, name="release-promote"),
]
