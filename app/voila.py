"""The settings of `make app`: what the page may do, and what a visitor may use."""

from tornado.web import HTTPError

MOST_VISITORS = 12  # at once; each has a kernel of half a gigabyte


def refuse_beyond(handler, notebook, cwd):
    """No kernel is started for one visitor more than there is memory for."""
    if len(handler.kernel_manager.list_kernel_ids()) >= MOST_VISITORS:
        raise HTTPError(
            503,
            "All places are taken.  A place is free again about ten minutes after somebody has left; try then.",
        )


c = get_config()  # noqa: F821, Jupyter gives it

# Who may come: this machine only.  Each start makes a new token, and the browser that opens brings it along.
c.Voila.ip = "127.0.0.1"
c.Voila.auto_token = True

# What the page may do: show the notebook's app cells and talk to its widgets.  Code from the page is not run (Voilà takes
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
                "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # widgets come as text and are run as modules
                "style-src 'self' 'unsafe-inline'",
                "frame-ancestors 'self'",
            ]
        )
    },
    "websocket_max_message_size": 10 * 2**20,  # the wizard sends photographs in smaller pieces
}

c.VoilaConfiguration.prelaunch_hook = refuse_beyond

# What a visitor may use: a kernel for ten minutes after the last sign of life.  Uploads and pixels are limited by the wizard
# itself (srlib.widgets), which also does one job at a time on the whole machine.
c.MappingKernelManager.cull_idle_timeout = 600
c.MappingKernelManager.cull_interval = 60
c.MappingKernelManager.cull_connected = True
