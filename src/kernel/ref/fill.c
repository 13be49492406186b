/* Fills the table with the reference kernels. */
#include "kernel/ref/ref.h"

void mdf_kernels_fill_ref(mdf_kernels *k)
{
    k->isa = "ref";
    k->gemm = mdf_gemm_ref;
    k->gemm_weight = mdf_gemm_weight_ref;
    k->gemm_weight_scratch = mdf_gemm_weight_scratch_ref;
    k->gemm_weights = mdf_gemm_weights_ref;
    k->conv2d_fwd = mdf_conv2d_fwd_ref;
    k->conv2d_bwd_data = mdf_conv2d_bwd_data_ref;
    k->conv2d_bwd_weights = mdf_conv2d_bwd_weights_ref;
    k->depthwise_fwd = mdf_depthwise_fwd_ref;
    k->depthwise_bwd_data = mdf_depthwise_bwd_data_ref;
    k->depthwise_bwd_weights = mdf_depthwise_bwd_weights_ref;
    k->bias_clip_fwd = mdf_bias_clip_fwd_ref;
    k->clip_bwd = mdf_clip_bwd_ref;
    k->group_norm_fwd = mdf_group_norm_fwd_ref;
    k->group_norm_bwd = mdf_group_norm_bwd_ref;
    k->channel_sums = mdf_channel_sums_ref;
    k->scale_clip_fwd = mdf_scale_clip_fwd_ref;
    k->scale_clip_sums = mdf_scale_clip_sums_ref;
    k->scale_clip_bwd = mdf_scale_clip_bwd_ref;
    k->layer_norm_fwd = mdf_layer_norm_fwd_ref;
    k->layer_norm_bwd = mdf_layer_norm_bwd_ref;
    k->rms_norm_fwd = mdf_rms_norm_fwd_ref;
    k->rms_norm_bwd = mdf_rms_norm_bwd_ref;
    k->gelu_fwd = mdf_gelu_fwd_ref;
    k->gelu_bwd = mdf_gelu_bwd_ref;
    k->swiglu_fwd = mdf_swiglu_fwd_ref;
    k->swiglu_bwd = mdf_swiglu_bwd_ref;
    k->softmax = mdf_softmax_ref;
    k->exp_shift = mdf_exp_shift_ref;
    k->attention = mdf_attention_ref;
    k->attention_scratch = mdf_attention_scratch_ref;
    k->narrow = mdf_narrow_ref;
    k->axpy = mdf_axpy_ref;
    k->dot = mdf_dot_ref;
    k->bias_fwd = mdf_bias_fwd_ref;
    k->bias_bwd = mdf_bias_bwd_ref;
    k->max_pool_fwd = mdf_max_pool_fwd_ref;
    k->max_pool_bwd = mdf_max_pool_bwd_ref;
    k->adamw = mdf_adamw_ref;
    k->adamw_8bit = mdf_adamw_8bit_ref;
    k->square_sums = mdf_square_sums_ref;
    k->factored_squares = mdf_factored_squares_ref;
    k->factored_step = mdf_factored_step_ref;
    k->bf16_widen = mdf_bf16_widen_ref;
    k->bf16_stochastic = mdf_bf16_stochastic_ref;
    k->bf16_split = mdf_bf16_split_ref;
    k->bf16_join = mdf_bf16_join_ref;
}
