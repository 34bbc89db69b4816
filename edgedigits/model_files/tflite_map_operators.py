"""TFLite operators of networks that are no chain of Dense layers: their numbers, their names, what they are told.

Schema: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from edgedigits.model_files.flatbuffer import Schema

ADD, AVERAGE_POOL_2D, CONCATENATION, CONV_2D, DEPTHWISE_CONV_2D = 0, 1, 2, 3, 4
LOGISTIC, MAX_POOL_2D, MUL, RELU, RELU6, TANH, PAD, TRANSPOSE, MEAN = 14, 17, 18, 19, 21, 28, 34, 39, 40
EXP, PRELU, MINIMUM, SLICE, REDUCE_MAX, LEAKY_RELU, ELU, GELU = 47, 54, 57, 65, 82, 98, 111, 150
SUB, LOG, RSQRT, BATCH_MATMUL = 41, 73, 76, 126
MAP_OPERATOR_NAMES = {
    ADD: "ADD",
    AVERAGE_POOL_2D: "AVERAGE_POOL_2D",
    BATCH_MATMUL: "BATCH_MATMUL",
    CONCATENATION: "CONCATENATION",
    CONV_2D: "CONV_2D",
    DEPTHWISE_CONV_2D: "DEPTHWISE_CONV_2D",
    ELU: "ELU",
    EXP: "EXP",
    GELU: "GELU",
    LEAKY_RELU: "LEAKY_RELU",
    LOG: "LOG",
    LOGISTIC: "LOGISTIC",
    MAX_POOL_2D: "MAX_POOL_2D",
    MEAN: "MEAN",
    MINIMUM: "MINIMUM",
    MUL: "MUL",
    PAD: "PAD",
    PRELU: "PRELU",
    REDUCE_MAX: "REDUCE_MAX",
    RELU: "RELU",
    RELU6: "RELU6",
    RSQRT: "RSQRT",
    SLICE: "SLICE",
    SUB: "SUB",
    TANH: "TANH",
    TRANSPOSE: "TRANSPOSE",
}
"""BuiltinOperator."""

OPTIONS_OF = {
    ADD: 11,
    AVERAGE_POOL_2D: 5,
    BATCH_MATMUL: 101,
    CONCATENATION: 10,
    CONV_2D: 1,
    DEPTHWISE_CONV_2D: 2,
    EXP: 33,
    GELU: 116,
    LEAKY_RELU: 75,
    MAX_POOL_2D: 5,
    MEAN: 27,
    MINIMUM: 39,
    MUL: 21,
    PAD: 22,
    REDUCE_MAX: 27,
    SLICE: 48,
    SUB: 28,
    TRANSPOSE: 26,
}
"""By operator, its BuiltinOptions; LiteRT takes the defaults where it finds others."""
MAP_OPTIONS: dict[int, str] = {
    1: "convolution_options",
    2: "depthwise_options",
    5: "pool_options",
    10: "concatenation_options",
    11: "activated_options",
    21: "activated_options",
    22: "no_options",
    26: "no_options",
    27: "reducer_options",
    28: "activated_options",
    33: "no_options",
    39: "no_options",
    48: "no_options",
    75: "leaky_options",
    101: "batch_matmul_options",
    116: "gelu_options",
}
"""BuiltinOptions: the tables below."""
MAP_SCHEMA: Schema = {
    "convolution_options": {
        0: ("padding", "int8"),
        1: ("stride_w", "int32"),
        2: ("stride_h", "int32"),
        3: ("activation", "int8"),
        4: ("dilation_w", "int32"),
        5: ("dilation_h", "int32"),
    },
    "depthwise_options": {
        0: ("padding", "int8"),
        1: ("stride_w", "int32"),
        2: ("stride_h", "int32"),
        3: ("depth_multiplier", "int32"),
        4: ("activation", "int8"),
        5: ("dilation_w", "int32"),
        6: ("dilation_h", "int32"),
    },
    "pool_options": {
        0: ("padding", "int8"),
        1: ("stride_w", "int32"),
        2: ("stride_h", "int32"),
        3: ("filter_width", "int32"),
        4: ("filter_height", "int32"),
        5: ("activation", "int8"),
    },
    "concatenation_options": {0: ("axis", "int32"), 1: ("activation", "int8")},
    "activated_options": {0: ("activation", "int8"), 1: ("pot_scale", "bool")},
    "reducer_options": {0: ("keep_dims", "bool")},
    "leaky_options": {0: ("alpha", "float32")},
    "batch_matmul_options": {0: ("adj_x", "bool"), 1: ("adj_y", "bool"), 2: ("asymmetric_inputs", "bool")},
    "gelu_options": {0: ("approximate", "bool")},
}
