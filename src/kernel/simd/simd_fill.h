/* The one exported function of an instruction set's file: fills in all of the above. */
#ifndef MDF_KERNEL_SIMD_SIMD_FILL_H
#define MDF_KERNEL_SIMD_SIMD_FILL_H

#include "kernel/simd/simd_attention.h"
#include "kernel/simd/simd_batch_norm.h"
#include "kernel/simd/simd_bf16.h"
#include "kernel/simd/simd_depthwise.h"
#include "kernel/simd/simd_factored.h"
#include "kernel/simd/simd_group_norm.h"
#include "kernel/simd/simd_moments.h"
#include "kernel/simd/simd_narrow.h"
#include "kernel/simd/simd_norm.h"
#include "kernel/simd/winograd_conv.h"

static const mdf_winograd winograd = {winograd_scratch, winograd_data, winograd_weights};

void MDF_SIMD_FILL(mdf_kernels *k)
{
    k->winograd = &winograd;
    k->depthwise_fwd = depthwise_fwd;
    k->depthwise_bwd_data = depthwise_bwd_data;
    k->depthwise_bwd_weights = depthwise_bwd_weights;
    k->bias_clip_fwd = bias_clip_fwd;
    k->clip_bwd = clip_bwd;
    k->group_norm_fwd = group_norm_fwd;
    k->group_norm_bwd = group_norm_bwd;
    k->channel_sums = channel_sums;
    k->scale_clip_fwd = scale_clip_fwd;
    k->scale_clip_sums = scale_clip_sums;
    k->scale_clip_bwd = scale_clip_bwd;
    k->layer_norm_fwd = layer_norm_fwd;
    k->layer_norm_bwd = layer_norm_bwd;
    k->rms_norm_fwd = rms_norm_fwd;
    k->rms_norm_bwd = rms_norm_bwd;
    k->gelu_fwd = gelu_fwd;
    k->gelu_bwd = gelu_bwd;
    k->swiglu_fwd = swiglu_fwd;
    k->swiglu_bwd = swiglu_bwd;
    k->softmax = softmax;
    k->exp_shift = exp_shift;
    k->attention = attention;
    k->attention_scratch = attention_scratch;
    k->narrow = narrow;
    k->axpy = axpy;
    k->dot = dot;
    k->bias_fwd = bias_fwd;
    k->bias_bwd = bias_bwd;
    k->max_pool_fwd = max_pool_fwd;
    k->max_pool_bwd = max_pool_bwd;
    k->adamw = adamw;
    k->adamw_8bit = adamw_8bit;
    k->square_sums = square_sums;
    k->factored_squares = factored_squares;
    k->factored_step = factored_step;
    k->bf16_widen = bf16_widen;
    k->bf16_stochastic = bf16_stochastic;
    k->bf16_split = bf16_split;
    k->bf16_join = bf16_join;
}

#endif
