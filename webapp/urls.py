from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from active_learning import api as active_learning_api
from active_learning import coldstart_api, jobs_api, lineage_api, shadow_api, sources_api
from annotation import api as annotation_api
from webapp import views

api: list[URLPattern | URLResolver] = [
    path("", include(annotation_api.router.urls)),
    path("", include(active_learning_api.router.urls)),
    path("", include(lineage_api.router.urls)),
    path("", include(coldstart_api.router.urls)),
    path("", include(shadow_api.router.urls)),
    path("", include(sources_api.router.urls)),
    path("", include(jobs_api.router.urls)),
    path("schema/", views.Schema.as_view(), name="schema"),
    path("docs/", views.Docs.as_view(), name="docs"),
]

urlpatterns = [
    path("", views.home, name="home"),
    path("login/", views.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("account/", views.account, name="account"),
    path("account/password/", views.change_password, name="change-password"),
    path("account/token/", views.new_token, name="new-token"),
    path("language/", include("django.conf.urls.i18n")),
    path("api/", include(api)),
    path("admin/", admin.site.urls),
    path("", include("annotation.urls")),
    path("", include("active_learning.urls")),
    path("", include("annotation.labelstudio.urls")),
]
