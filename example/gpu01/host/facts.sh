# What host/setup.sh reads: the answers and the catalogue as data, no commands.
# shellcheck shell=bash disable=SC2034
host=gpu01
user=ai
uid=1000
gid=1000
host_home=/home/ai
conda_path=/home/ai/miniconda3
project_path=/home/ai/tensorflow_volume
docker_url=https://mirrors.aliyun.com/docker-ce
nvidia_url=https://mirrors.ustc.edu.cn/libnvidia-container

# Each container, and the NVIDIA drivers that it starts on: from the first one on all newer ones,
# older ones to the end of their branch, and those on data-centre GPUs only (- is none).
drivers='
tf1.15.5 410.48 - 384
tf2.17.0 545.23.06 525.60.13,535 470.57
'
