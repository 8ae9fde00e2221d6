"""The parameters of Caffe's layers, in the notation of ``schema``."""

__all__ = ["LAYER_PARAMETERS", "PARAMETER_NUMBERS"]

ENGINE = "{DEFAULT 0 CAFFE 1 CUDNN 2} = DEFAULT"
DATABASE = "{LEVELDB 0 LMDB 1} = LEVELDB"

LAYER_PARAMETERS = {
    "FillerParameter": """
        type 1 string = constant
        value 2 float = 0
        min 3 float = 0
        max 4 float = 1
        mean 5 float = 0
        std 6 float = 1
        sparse 7 int32 = -1
        variance_norm 8 {FAN_IN 0 FAN_OUT 1 AVERAGE 2} = FAN_IN
    """,
    "TransformationParameter": """
        scale 1 float = 1
        mirror 2 bool = false
        crop_size 3 uint32 = 0
        mean_file 4 string
        mean_value 5 float*
        force_color 6 bool = false
        force_gray 7 bool = false
    """,
    "LossParameter": """
        ignore_label 1 int32
        normalize 2 bool
        normalization 3 {FULL 0 VALID 1 BATCH_SIZE 2 NONE 3} = VALID
    """,
    "AccuracyParameter": """
        top_k 1 uint32 = 1
        axis 2 int32 = 1
        ignore_label 3 int32
    """,
    "ConcatParameter": """
        concat_dim 1 uint32 = 1
        axis 2 int32 = 1
    """,
    "ConvolutionParameter": f"""
        num_output 1 uint32
        bias_term 2 bool = true
        pad 3 uint32*
        kernel_size 4 uint32*
        group 5 uint32 = 1
        stride 6 uint32*
        weight_filler 7 FillerParameter
        bias_filler 8 FillerParameter
        pad_h 9 uint32 = 0
        pad_w 10 uint32 = 0
        kernel_h 11 uint32
        kernel_w 12 uint32
        stride_h 13 uint32
        stride_w 14 uint32
        engine 15 {ENGINE}
        axis 16 int32 = 1
        force_nd_im2col 17 bool = false
        dilation 18 uint32*
    """,
    "DataParameter": f"""
        source 1 string
        scale 2 float = 1
        mean_file 3 string
        batch_size 4 uint32
        crop_size 5 uint32 = 0
        mirror 6 bool = false
        rand_skip 7 uint32 = 0
        backend 8 {DATABASE}
        force_encoded_color 9 bool = false
        prefetch 10 uint32 = 4
    """,
    "DropoutParameter": "dropout_ratio 1 float = 0.5",
    "DummyDataParameter": """
        data_filler 1 FillerParameter*
        num 2 uint32*
        channels 3 uint32*
        height 4 uint32*
        width 5 uint32*
        shape 6 BlobShape*
    """,
    "EltwiseParameter": """
        operation 1 {PROD 0 SUM 1 MAX 2} = SUM
        coeff 2 float*
        stable_prod_grad 3 bool = true
    """,
    "EmbedParameter": """
        num_output 1 uint32
        input_dim 2 uint32
        bias_term 3 bool = true
        weight_filler 4 FillerParameter
        bias_filler 5 FillerParameter
    """,
    "FlattenParameter": """
        axis 1 int32 = 1
        end_axis 2 int32 = -1
    """,
    "HDF5DataParameter": """
        source 1 string
        batch_size 2 uint32
        shuffle 3 bool = false
    """,
    "ImageDataParameter": """
        source 1 string
        scale 2 float = 1
        mean_file 3 string
        batch_size 4 uint32 = 1
        crop_size 5 uint32 = 0
        mirror 6 bool = false
        rand_skip 7 uint32 = 0
        shuffle 8 bool = false
        new_height 9 uint32 = 0
        new_width 10 uint32 = 0
        is_color 11 bool = true
        root_folder 12 string
    """,
    "InnerProductParameter": """
        num_output 1 uint32
        bias_term 2 bool = true
        weight_filler 3 FillerParameter
        bias_filler 4 FillerParameter
        axis 5 int32 = 1
        transpose 6 bool = false
    """,
    "InputParameter": "shape 1 BlobShape*",
    "LRNParameter": f"""
        local_size 1 uint32 = 5
        alpha 2 float = 1
        beta 3 float = 0.75
        norm_region 4 {{ACROSS_CHANNELS 0 WITHIN_CHANNEL 1}} = ACROSS_CHANNELS
        k 5 float = 1
        engine 6 {ENGINE}
    """,
    "MemoryDataParameter": """
        batch_size 1 uint32
        channels 2 uint32
        height 3 uint32
        width 4 uint32
    """,
    "PoolingParameter": f"""
        pool 1 {{MAX 0 AVE 1 STOCHASTIC 2}} = MAX
        kernel_size 2 uint32
        stride 3 uint32 = 1
        pad 4 uint32 = 0
        kernel_h 5 uint32
        kernel_w 6 uint32
        stride_h 7 uint32
        stride_w 8 uint32
        pad_h 9 uint32 = 0
        pad_w 10 uint32 = 0
        engine 11 {ENGINE}
        global_pooling 12 bool = false
        round_mode 13 {{CEIL 0 FLOOR 1}} = CEIL
    """,
    "PythonParameter": """
        module 1 string
        layer 2 string
        param_str 3 string
        share_in_parallel 4 bool = false
    """,
    "RecurrentParameter": """
        num_output 1 uint32 = 0
        weight_filler 2 FillerParameter
        bias_filler 3 FillerParameter
        debug_info 4 bool = false
        expose_hidden 5 bool = false
    """,
    "ReLUParameter": f"""
        negative_slope 1 float = 0
        engine 2 {ENGINE}
    """,
    "ReshapeParameter": """
        shape 1 BlobShape
        axis 2 int32 = 0
        num_axes 3 int32 = -1
    """,
    "SigmoidParameter": f"engine 1 {ENGINE}",
    "SliceParameter": """
        slice_dim 1 uint32 = 1
        slice_point 2 uint32*
        axis 3 int32 = 1
    """,
    "SoftmaxParameter": f"""
        engine 1 {ENGINE}
        axis 2 int32 = 1
    """,
    "TanHParameter": f"engine 1 {ENGINE}",
}

_LINES = {
    "transform_param TransformationParameter": (100, 36),
    "loss_param LossParameter": (101, 42),
    "accuracy_param AccuracyParameter": (102, 27),
    "concat_param ConcatParameter": (104, 9),
    "convolution_param ConvolutionParameter": (106, 10),
    "data_param DataParameter": (107, 11),
    "dropout_param DropoutParameter": (108, 12),
    "dummy_data_param DummyDataParameter": (109, 26),
    "eltwise_param EltwiseParameter": (110, 24),
    "hdf5_data_param HDF5DataParameter": (112, 13),
    "image_data_param ImageDataParameter": (115, 15),
    "inner_product_param InnerProductParameter": (117, 17),
    "lrn_param LRNParameter": (118, 18),
    "memory_data_param MemoryDataParameter": (119, 22),
    "pooling_param PoolingParameter": (121, 19),
    "relu_param ReLUParameter": (123, 30),
    "sigmoid_param SigmoidParameter": (124, 38),
    "softmax_param SoftmaxParameter": (125, 39),
    "slice_param SliceParameter": (126, 31),
    "tanh_param TanHParameter": (127, 37),
    "python_param PythonParameter": (130, None),
    "reshape_param ReshapeParameter": (133, None),
    "flatten_param FlattenParameter": (135, None),
    "embed_param EmbedParameter": (137, None),
    "input_param InputParameter": (143, None),
    "recurrent_param RecurrentParameter": (146, None),
}


def _fields(version: int) -> str:
    named = ((line.split(), numbers[version]) for line, numbers in _LINES.items())
    return "\n".join(f"{name} {number} {kind}" for (name, kind), number in named if number)


PARAMETER_NUMBERS = {"V2": _fields(0), "V1": _fields(1)}
