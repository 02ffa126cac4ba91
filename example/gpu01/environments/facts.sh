# What new.sh reads: conda, and the network that was answered.
# shellcheck shell=bash disable=SC2034
conda=/home/ai/miniconda3
export PIP_INDEX_URL=https://mirrors.aliyun.com/pypi/simple
export CONDA_CHANNEL_ALIAS=https://mirrors.aliyun.com/anaconda/cloud
