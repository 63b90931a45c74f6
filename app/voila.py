"""The settings of `make app`: the page's rights, the visitors' limits, and the owner of each kernel."""

import asyncio
import time
from contextvars import ContextVar
from typing import ClassVar
from urllib.parse import urlsplit

from jupyter_core.utils import ensure_async
from jupyter_server.auth.identity import PasswordIdentityProvider
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError

MOST_VISITORS = 12  # at once; each has a kernel of half a gigabyte
LOADING = 60  # seconds within which a page connects to its kernel

current_page = ContextVar("current_page")


class Page:
    """One page of a visitor, from its request on."""

    def __init__(self, visitor):
        self.visitor = visitor  # the user name in the cookie of a browser
        self.began = time.monotonic()
        self.kernel_id = None
        self.abandoned = False  # the browser stopped loading it


class VisitorKernels(AsyncMappingKernelManager):
    """Kernels that know their page."""

    pages: ClassVar[dict[str, Page]] = {}  # by kernel id
    closing: ClassVar[set] = set()  # tasks, which nothing else keeps alive

    async def start_kernel(self, **arguments):
        kernel_id = await ensure_async(super().start_kernel(**arguments))
        page = current_page.get()
        page.kernel_id = kernel_id
        self.pages[kernel_id] = page
        if page.abandoned:
            self.shut_down_soon(kernel_id)
        return kernel_id

    def left_behind(self):
        """The kernels without a page: their browser has lost the connection. The oldest comes first."""
        now = time.monotonic()
        kernels = [self.kernel_model(kernel_id) for kernel_id in self.list_kernel_ids()]
        kernels = [
            kernel
            for kernel in kernels
            if kernel["connections"] == 0 and now - self.pages[kernel["id"]].began > LOADING
        ]
        return [kernel["id"] for kernel in sorted(kernels, key=lambda k: k["last_activity"])]

    def shut_down_soon(self, kernel_id):
        task = asyncio.ensure_future(ensure_async(self.shutdown_kernel(kernel_id)))
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)

    def remove_kernel(self, kernel_id):
        self.pages.pop(kernel_id, None)
        return super().remove_kernel(kernel_id)


class OwnKernelOnly(PasswordIdentityProvider):
    """Each browser is a visitor of its own, who can reach no kernel but those of its own pages."""

    async def get_user(self, handler):
        origin = handler.request.headers.get("Origin")
        if origin and urlsplit(origin).netloc.lower() != handler.request.host.lower():
            return None  # a page of another site
        user = await ensure_async(super().get_user(handler))
        for kernel_id, page in VisitorKernels.pages.items():
            if user and kernel_id in handler.request.path and page.visitor != user.username:
                return None
        return user


def open_page(handler, notebook, cwd):
    """Let a visitor in, or refuse one more than there is memory for."""
    kernels = handler.kernel_manager
    if len(kernels.list_kernel_ids()) >= MOST_VISITORS:
        left_behind = kernels.left_behind()
        if not left_behind:
            raise HTTPError(503, "All places are taken. Please try again in a few minutes.")
        kernels.shut_down_soon(left_behind[0])
    handler.xsrf_token  # noqa: B018, sets the cookie without which the page cannot close its kernel
    page = Page(handler.current_user.username)
    current_page.set(page)

    def abandon():
        page.abandoned = True
        if page.kernel_id in kernels:
            kernels.shut_down_soon(page.kernel_id)

    handler.request.connection.set_close_callback(abandon)


c = get_config()  # noqa: F821, defined by Jupyter

# Who may come: this machine only. Each start makes a new token, and the browser that opens brings it.
c.Voila.ip = "127.0.0.1"
c.Voila.auto_token = True
c.Voila.identity_provider_class = OwnKernelOnly

# The page may show the notebook's app cells and talk to its widgets. It cannot run code (Voilà passes on
# nothing but messages to widgets), no file is served, and the browser itself refuses to ask any other host.
c.VoilaConfiguration.template = "wizard"
c.VoilaConfiguration.allow_template_override = "NO"
c.VoilaConfiguration.file_allowlist = []
c.VoilaExecutor.skip_cells_with_tag = "skip-in-app"
c.Voila.tornado_settings = {
    "headers": {
        "Content-Security-Policy": "; ".join(
            [
                "default-src 'self' data: blob:",
                "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # widgets arrive as text, run as modules
                "style-src 'self' 'unsafe-inline'",
                "frame-ancestors 'self'",
            ]
        )
    },
    "websocket_max_message_size": 10 * 2**20,  # the wizard sends photographs in smaller pieces
}

# A visitor has a kernel until the page is closed, or for ten minutes after the last sign of life.
# The wizard itself (srlib.widgets) limits uploads and pixels, and does one job at a time on the whole machine.
c.VoilaConfiguration.multi_kernel_manager_class = VisitorKernels
c.VoilaConfiguration.prelaunch_hook = open_page
c.MappingKernelManager.cull_idle_timeout = 600
c.MappingKernelManager.cull_interval = 60
c.MappingKernelManager.cull_connected = True
