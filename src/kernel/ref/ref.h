/* The reference kernels: the specification, the fallback and the oracle of the tests. Obvious
 * loops, sums in double; never optimised. Contracts: kernel/kernel.h. */
#ifndef MDF_KERNEL_REF_REF_H
#define MDF_KERNEL_REF_REF_H

#include "kernel/kernel.h"

mdf_gemm_fn mdf_gemm_ref;
mdf_gemm_weight_fn mdf_gemm_weight_ref;
mdf_gemm_weight_scratch_fn mdf_gemm_weight_scratch_ref;
mdf_gemm_weights_fn mdf_gemm_weights_ref;
/* out = numbers at..at+count of one row of w; both multiples of the block. A type that is none of a
 * weight's gives NaN. */
void mdf_weight_floats(const mdf_weight *w, int64_t row, int64_t at, int64_t count, float *out);
mdf_conv2d_fwd_fn mdf_conv2d_fwd_ref;
mdf_conv2d_bwd_data_fn mdf_conv2d_bwd_data_ref;
mdf_conv2d_bwd_weights_fn mdf_conv2d_bwd_weights_ref;
mdf_depthwise_fwd_fn mdf_depthwise_fwd_ref;
mdf_depthwise_bwd_data_fn mdf_depthwise_bwd_data_ref;
mdf_depthwise_bwd_weights_fn mdf_depthwise_bwd_weights_ref;
mdf_bias_clip_fwd_fn mdf_bias_clip_fwd_ref;
mdf_clip_bwd_fn mdf_clip_bwd_ref;
mdf_group_norm_fwd_fn mdf_group_norm_fwd_ref;
mdf_group_norm_bwd_fn mdf_group_norm_bwd_ref;
mdf_channel_sums_fn mdf_channel_sums_ref;
mdf_scale_clip_fwd_fn mdf_scale_clip_fwd_ref;
mdf_scale_clip_sums_fn mdf_scale_clip_sums_ref;
mdf_scale_clip_bwd_fn mdf_scale_clip_bwd_ref;
mdf_layer_norm_fwd_fn mdf_layer_norm_fwd_ref;
mdf_layer_norm_bwd_fn mdf_layer_norm_bwd_ref;
mdf_rms_norm_fwd_fn mdf_rms_norm_fwd_ref;
mdf_rms_norm_bwd_fn mdf_rms_norm_bwd_ref;
mdf_unary_fwd_fn mdf_gelu_fwd_ref;
mdf_unary_bwd_fn mdf_gelu_bwd_ref;
mdf_swiglu_fwd_fn mdf_swiglu_fwd_ref;
mdf_swiglu_bwd_fn mdf_swiglu_bwd_ref;
mdf_softmax_fn mdf_softmax_ref;
mdf_exp_shift_fn mdf_exp_shift_ref;
mdf_attention_fn mdf_attention_ref;
mdf_attention_scratch_fn mdf_attention_scratch_ref;
mdf_narrow_fn mdf_narrow_ref;
mdf_axpy_fn mdf_axpy_ref;
mdf_dot_fn mdf_dot_ref;
mdf_bias_fwd_fn mdf_bias_fwd_ref;
mdf_bias_bwd_fn mdf_bias_bwd_ref;
mdf_max_pool_fwd_fn mdf_max_pool_fwd_ref;
mdf_max_pool_bwd_fn mdf_max_pool_bwd_ref;
mdf_adamw_fn mdf_adamw_ref;
mdf_adamw_8bit_fn mdf_adamw_8bit_ref;
/* The numbers of the 256 codes (kernel/moment_code.h). */
void mdf_moment_codes(float code[256], bool is_signed);
mdf_square_sums_fn mdf_square_sums_ref;
mdf_factored_squares_fn mdf_factored_squares_ref;
mdf_factored_step_fn mdf_factored_step_ref;
mdf_bf16_widen_fn mdf_bf16_widen_ref;
mdf_bf16_stochastic_fn mdf_bf16_stochastic_ref;
mdf_bf16_split_fn mdf_bf16_split_ref;
mdf_bf16_join_fn mdf_bf16_join_ref;

#endif
