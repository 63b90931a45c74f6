# The Image Wizard as an app on a server:
#
#   docker build --tag image-wizard .
#   docker run --rm --publish 127.0.0.1:8866:8866 --memory 8g image-wizard        the log says the address, with its token
#
# Settings are in app/voila.py.  For more than yourself put a proxy with TLS in front of it, and choose the token:
# add `voila --no-browser --Voila.ip=0.0.0.0 --Voila.token=… notebooks/00_image_wizard.ipynb` to the line.
FROM python:3.11.13-slim-bookworm

RUN useradd --create-home --uid 1000 wizard
WORKDIR /home/wizard/course

# PyTorch for the CPU, both parts from one index; PyPI's would bring 5 GB of GPU libraries.
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt --index-url https://download.pytorch.org/whl/cpu torch torchvision

COPY pyproject.toml README.md LICENSE ./
COPY srlib srlib
RUN pip install --no-cache-dir --constraint constraints.txt '.[course]'

COPY app app
COPY notebooks/00_image_wizard.ipynb notebooks/
COPY data/sample/DIV2K_valid_HR data/sample/DIV2K_valid_HR
RUN mkdir runs && chown wizard runs

USER wizard
ENV JUPYTER_CONFIG_PATH=/home/wizard/course/app JUPYTER_PATH=/home/wizard/course/app
EXPOSE 8866
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8866), 5)"]
CMD ["voila", "--no-browser", "--Voila.ip=0.0.0.0", "notebooks/00_image_wizard.ipynb"]
