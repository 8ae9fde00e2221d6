"""Caffe's messages for nets and weights: names, numbers and types, which are facts of the files.

A line is a field: name, number, type, default. ``*`` is repeated, ``+`` repeated and packed, and
``{NAME number ..}`` an enum of the message. Layers' own parameters are in ``layer_schema``.
"""

from lrcn_fast.caffe.layer_schema import LAYER_PARAMETERS, PARAMETER_NUMBERS

__all__ = ["NET", "WEIGHTS"]

PHASE = "{TRAIN 0 TEST 1}"
SHARE_MODE = "{STRICT 0 PERMISSIVE 1}"
V1_TYPES = (
    "{NONE 0 ACCURACY 1 BNLL 2 CONCAT 3 CONVOLUTION 4 DATA 5 DROPOUT 6 EUCLIDEAN_LOSS 7 FLATTEN 8 "
    "HDF5_DATA 9 HDF5_OUTPUT 10 IM2COL 11 IMAGE_DATA 12 INFOGAIN_LOSS 13 INNER_PRODUCT 14 LRN 15 "
    "MULTINOMIAL_LOGISTIC_LOSS 16 POOLING 17 RELU 18 SIGMOID 19 SOFTMAX 20 SOFTMAX_LOSS 21 "
    "SPLIT 22 TANH 23 WINDOW_DATA 24 ELTWISE 25 POWER 26 SIGMOID_CROSS_ENTROPY_LOSS 27 "
    "HINGE_LOSS 28 MEMORY_DATA 29 ARGMAX 30 THRESHOLD 31 DUMMY_DATA 32 SLICE 33 MVN 34 ABSVAL 35 "
    "SILENCE 36 CONTRASTIVE_LOSS 37 EXP 38 DECONVOLUTION 39}"
)

_SHAPE = "dim 1 int64+"
_LEGACY_SHAPE = """
    num 1 int32
    channels 2 int32
    height 3 int32
    width 4 int32
    shape 7 BlobShape
"""

NET = {
    **LAYER_PARAMETERS,
    "BlobShape": _SHAPE,
    "BlobProto": f"""
        {_LEGACY_SHAPE}
        data 5 float+
        diff 6 float+
        double_data 8 double+
        double_diff 9 double+
    """,
    "NetState": f"""
        phase 1 {PHASE} = TEST
        level 2 int32
        stage 3 string*
    """,
    "NetStateRule": f"""
        phase 1 {PHASE}
        min_level 2 int32
        max_level 3 int32
        stage 4 string*
        not_stage 5 string*
    """,
    "ParamSpec": f"""
        name 1 string
        share_mode 2 {SHARE_MODE}
        lr_mult 3 float = 1
        decay_mult 4 float = 1
    """,
    "LayerParameter": f"""
        name 1 string
        type 2 string
        bottom 3 string*
        top 4 string*
        loss_weight 5 float*
        param 6 ParamSpec*
        blobs 7 BlobProto*
        include 8 NetStateRule*
        exclude 9 NetStateRule*
        phase 10 {PHASE}
        propagate_down 11 bool*
        {PARAMETER_NUMBERS["V2"]}
    """,
    "V1LayerParameter": f"""
        bottom 2 string*
        top 3 string*
        name 4 string
        type 5 {V1_TYPES}
        blobs 6 BlobProto*
        blobs_lr 7 float*
        weight_decay 8 float*
        include 32 NetStateRule*
        exclude 33 NetStateRule*
        loss_weight 35 float*
        param 1001 string*
        blob_share_mode 1002 {SHARE_MODE}*
        {PARAMETER_NUMBERS["V1"]}
    """,
    "NetParameter": """
        name 1 string
        layers 2 V1LayerParameter*
        input 3 string*
        input_dim 4 int32*
        force_backward 5 bool
        state 6 NetState
        debug_info 7 bool
        input_shape 8 BlobShape*
        layer 100 LayerParameter*
    """,
}

# Of a binary file of weights only this is read, so that whatever a fork of Caffe has added under
# the numbers of others is stepped over. Packed floats lie in the file as bytes lie in memory.
WEIGHTS = {
    "BlobShape": _SHAPE,
    "BlobProto": f"""
        {_LEGACY_SHAPE}
        data 5 bytes*
        double_data 8 bytes*
    """,
    "LayerParameter": """
        name 1 string
        type 2 string
        blobs 7 BlobProto*
    """,
    "V1LayerParameter": """
        name 4 string
        blobs 6 BlobProto*
    """,
    "NetParameter": """
        name 1 string
        layers 2 V1LayerParameter*
        layer 100 LayerParameter*
    """,
}
