/* Tensors, the tape, and every operation a model file may use.
 *
 * An operation computes at once; while training it also leaves a node on the tape, and
 * mdf_graph_backward() walks the nodes last to first. Errors are sticky: an operation that is given
 * NULL returns NULL, the first failure stays in the graph and the model asks once, with
 * mdf_graph_status().
 *
 * Pictures are channels-last [B,H,W,C]; token sequences of a batch are packed, [N,D] with offsets,
 * never padded. Everything an operation returns lives in the graph's arena until mdf_graph_reset().
 * Unless an operation says otherwise it fails with MDF_ERR_SHAPE or MDF_ERR_NOMEM. */
#ifndef MDF_TENSOR_TENSOR_H
#define MDF_TENSOR_TENSOR_H

#include <signal.h>

#include "base/arena.h"
#include "base/dtype.h"
#include "base/limits.h"
#include "base/status.h"
#include "kernel/kernel.h"

struct mdf_adapter;

typedef struct mdf_tensor {
    const char *name; /* parameters only, else NULL */
    int rank;
    int64_t dim[MDF_MAX_RANK];
    mdf_real *data;  /* NULL for a frozen weight that stays in its file's format, see raw */
    const void *raw; /* that weight's bytes, rows of dtype, often in a mapped file; else NULL. Only
                        mdf_linear(), mdf_gather_rows() and mdf_add_rows() read it, and
                        mdf_attention() keys and values of a cache; no gradient */
    mdf_dtype dtype; /* of raw */
    const struct mdf_adapter *adapter; /* mdf_linear(): what is added to this matrix; or NULL */
    mdf_real *grad;  /* parameters: always there when trained; others: only during backward */
    bool needs_grad; /* some loss may want d/d(this) */
    bool parameter;  /* lives longer than a graph step; grad is a place that is added to */
    bool owner;      /* data is this tensor's own place in the arena, no view */
} mdf_tensor;

/* A change of low rank that a matrix w [O,I] is given (LoRA, Hu et al. 2021): w + scale b a. Its
 * matrices are trained where w is frozen. */
typedef struct mdf_adapter {
    mdf_tensor *a, *b; /* [r,I], [O,r] */
    mdf_real scale;    /* alpha / r, or alpha / sqrt(r) */
    mdf_real dropout;  /* of the x that a sees, while training */
    uint64_t seed;     /* of this adapter; the step's is mdf_graph.noise */
} mdf_adapter;

struct mdf_node;
struct mdf_graph;

/* One row per operation: its name and how gradients flow back through it. */
typedef struct mdf_op {
    const char *name;
    void (*backward)(struct mdf_graph *g, const struct mdf_node *node);
} mdf_op;

enum { MDF_NODE_INPUTS = 8 };

typedef struct mdf_node {
    const mdf_op *op;
    mdf_tensor *out;
    mdf_tensor *in[MDF_NODE_INPUTS]; /* NULL where the operation has fewer */
    void *saved;                     /* op-specific, in the arena */
    struct mdf_node *previous;
} mdf_node;

typedef struct mdf_graph {
    const mdf_kernels *kernels; /* borrowed */
    bool train;                 /* record the tape */
    mdf_arena arena;
    mdf_node *last;
    struct mdf_free_block *free_blocks; /* what backward is done with, for gradients to come */
    mdf_error error;                    /* the first failure */
    const volatile sig_atomic_t *stop;  /* not 0: the next mdf_scope_keep() fails with
                                           MDF_ERR_STOPPED; NULL: nobody stops it */
    uint64_t noise;                     /* the step's seed, for the dropout of adapters */
    bool untaped;                       /* mdf_checkpoint(): the tape does not record just now, */
    bool left_out;                      /* and this it would have recorded */
} mdf_graph;

/* limit_bytes 0 = as much as there is. */
mdf_status mdf_graph_init(mdf_graph *g, const mdf_kernels *k, bool train, size_t limit_bytes,
                          mdf_error *err) MDF_NODISCARD;
void mdf_graph_free(mdf_graph *g);
void mdf_graph_reset(mdf_graph *g); /* forgets tensors, tape and error; keeps the memory */
mdf_status mdf_graph_status(const mdf_graph *g, mdf_error *err) MDF_NODISCARD;

/* Runs the tape from loss (one number). Parameters' gradients are added to. The values that the
 * tape recorded die on the way (data becomes NULL; below 16 KiB they stay): their memory is used
 * for gradients. */
mdf_status mdf_graph_backward(mdf_graph *g, mdf_tensor *loss, mdf_error *err) MDF_NODISCARD;

/* Gives t's numbers back before backward: the caller knows that nobody reads them again, neither an
 * operation nor its backward. NULL is allowed; a view and a parameter stay. */
void mdf_forget(mdf_graph *g, mdf_tensor *t);

int64_t mdf_tensor_count(const mdf_tensor *t);

/* Scopes bound what a graph holds that does not train: a network of many layers then needs memory
 * for one of them.
 *
 *     mdf_scope scope = mdf_scope_begin(g);
 *     for (every layer) {
 *         x = mdf_scope_keep(g, &scope, layer(g, x));
 *     }
 *
 * mdf_scope_keep() forgets everything that the graph's arena gave out since the scope began, the x
 * of the round before included, except the numbers of y, which move to where the scope began. What
 * shall outlive the next round must be made before mdf_scope_begin(), or the scope begun anew
 * behind it. Where the tape has recorded something since the scope began, nothing happens and y is
 * returned as it is; so a model file is the same for training. Scopes nest. */
typedef struct mdf_scope {
    mdf_arena_mark mark;
    const mdf_node *last; /* of the tape when it began */
    struct mdf_free_block *free_blocks;
} mdf_scope;

mdf_scope mdf_scope_begin(const mdf_graph *g);
mdf_tensor *mdf_scope_keep(mdf_graph *g, const mdf_scope *s, mdf_tensor *y);

/* Gradient checkpointing (Chen et al. 2016): runs a part of a network, of which only the result
 * stays; backward runs it again, with the same bits, for its gradients. Memory of a deep network is
 * then its parts' results and the insides of one part, for one more forward.
 *
 * run gives the part's result from the context and the inputs; it reads no other tensors but
 * parameters and constants, changes nothing outside, and its random numbers come from seeds. The
 * context's bytes are copied; what it points to must live until backward. A graph that does not
 * train just runs the part. */
typedef mdf_tensor *(*mdf_subnet)(mdf_graph *g, const void *context, mdf_tensor *const in[]);
mdf_tensor *mdf_checkpoint(mdf_graph *g, mdf_subnet run, const void *context, size_t bytes,
                           mdf_tensor *const in[], int inputs);

/* --- for the authors of operations --- */

/* Records the first failure and returns NULL. */
mdf_tensor *mdf_graph_fail(mdf_graph *g, mdf_status code, const char *op, const char *fmt, ...)
    MDF_PRINTF(4, 5);
/* A new tensor, data uninitialised. */
mdf_tensor *mdf_graph_tensor(mdf_graph *g, int rank, const int64_t *dim);
mdf_tensor *mdf_graph_like(mdf_graph *g, const mdf_tensor *t);
/* Uninitialised memory of the arena; NULL sets the sticky error. */
void *mdf_graph_alloc(mdf_graph *g, int64_t count, size_t size);
/* While training and if any input needs a gradient: marks out and records the node. Returns out. */
mdf_tensor *mdf_graph_record(mdf_graph *g, const mdf_op *op, mdf_tensor *out,
                             mdf_tensor *const in[], int inputs, void *saved);
/* The same whether or not an input needs a gradient. */
mdf_tensor *mdf_graph_record_always(mdf_graph *g, const mdf_op *op, mdf_tensor *out,
                                    mdf_tensor *const in[], int inputs, void *saved);
/* Backward from the tape's last node, whose output has its gradient, to the first. */
void mdf_graph_unwind(mdf_graph *g);
/* True if a gradient for t will be wanted by this graph's backward. */
bool mdf_wants_grad(const mdf_graph *g, const mdf_tensor *t);
/* In a backward: where to write t's gradient; NULL if none is wanted. *acc says whether to add
 * (true) or to overwrite (false: the buffer is fresh and uninitialised). */
mdf_real *mdf_grad_target(mdf_graph *g, mdf_tensor *t, bool *acc);
/* The same, but a fresh buffer is zeroed, so the caller always adds. */
mdf_real *mdf_grad_add_target(mdf_graph *g, mdf_tensor *t);

/* --- sources --- */

/* Wraps caller-owned numbers (which must outlive the graph step). No gradient. */
mdf_tensor *mdf_constant(mdf_graph *g, mdf_real *data, int rank, const int64_t *dim);
/* The same of numbers of another type, see mdf_tensor.raw. */
mdf_tensor *mdf_constant_raw(mdf_graph *g, const void *raw, mdf_dtype dtype, int rank,
                             const int64_t *dim);
mdf_tensor *mdf_zeros(mdf_graph *g, int rank, const int64_t *dim);
/* The same numbers under another shape of equal count. A weight that stays in its file's format
 * (raw) stays so. */
mdf_tensor *mdf_reshape(mdf_graph *g, mdf_tensor *x, int rank, const int64_t *dim);

/* --- dense --- */

/* What an operation does to its result in the same pass: nothing, ReLU or ReLU6. NaN stays NaN. The
 * gradient is zero where y is at a limit or was beyond it. */
typedef struct mdf_clip {
    mdf_real low, high;
} mdf_clip;
mdf_clip mdf_no_clip(void);
mdf_clip mdf_relu6(void); /* to 0..6 (Krizhevsky 2010) */

/* y [N,O] = x [..,I] w[O,I]^T + b[O]; b may be NULL. Leading dimensions are kept. What an adapter
 * of w adds, scale dropout(x) a^T b^T, is in y. */
mdf_tensor *mdf_linear(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b);
/* The same with y clipped; b must be there if anything is clipped. */
mdf_tensor *mdf_linear_clip(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b,
                            mdf_clip clip);
/* y[i] = mdf_linear(g, x, w[i], NULL) for count (at most MDF_WEIGHTS_MAX) weights; faster where x
 * has few rows and the weights stay in their file's format. A y is NULL where g has failed. */
void mdf_linears(mdf_graph *g, mdf_tensor *x, mdf_tensor *const w[], int count, mdf_tensor *y[]);
/* y [B,H,W,Cout] = conv(x [B,H,W,Cin], w [Cout,Cin,K,K]), stride 1, padding K/2; b may be NULL. */
mdf_tensor *mdf_conv2d(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b);
/* Depthwise convolution, every channel with its own K x K weights, K and stride 1 to 7, and
 * ceil(size / stride) pixels out: y = clip(conv(x [B,H,W,C], w [C,1,K,K]) + b [C]). An odd pixel of
 * the zeros around x goes below and to the right (TensorFlow's "SAME"). */
mdf_tensor *mdf_depthwise(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b, int64_t stride,
                          mdf_clip clip);
/* The weights w [O,..] and the bias [O] of a layer that a normalisation with fixed mean and
 * variance [O] follows (batch norm after training), as one layer:
 *     w'_o = w_o gamma_o / sqrt(var_o + eps),   b'_o = beta_o - mean_o gamma_o / sqrt(var_o + eps)
 * eps above 0. Gradients go to w, gamma and beta, none to mean and var. */
mdf_tensor *mdf_fold_norm_weight(mdf_graph *g, mdf_tensor *w, mdf_tensor *gamma, mdf_tensor *var,
                                 mdf_real eps);
mdf_tensor *mdf_fold_norm_bias(mdf_graph *g, mdf_tensor *gamma, mdf_tensor *beta, mdf_tensor *mean,
                               mdf_tensor *var, mdf_real eps);
/* A batch norm: gamma, beta, and the running mean and variance, all [C]. */
typedef struct mdf_norm {
    mdf_tensor *gamma, *beta, *mean, *var;
    mdf_real eps;
} mdf_norm;
/* y = clip(gamma (x - m) / sqrt(v + eps) + beta), x [..,C], with mean m and variance v of this x
 * over all but the channels (Ioffe and Szegedy 2015, in training). The running ones move: mean +=
 * momentum (m - mean), and so does var, towards v n / (n - 1) for n rows, as PyTorch's. */
mdf_tensor *mdf_batch_norm(mdf_graph *g, mdf_tensor *x, const mdf_norm *norm, mdf_real momentum,
                           mdf_clip clip);
/* Transposed 2x2 convolution, stride 2: x [B,H,W,Cin], w [Cin,Cout,2,2], b [Cout] ->
 * [B,2H,2W,Cout]. */
mdf_tensor *mdf_conv_transpose2x2(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b);
/* Non-overlapping patches: x [B,H,W,C] -> [B*(H/p)*(W/p), C*p*p], a patch's numbers in (c, row,
 * col) order, so that a linear layer with a conv weight [O,C,p,p] is that strided convolution. */
mdf_tensor *mdf_patchify(mdf_graph *g, mdf_tensor *x, int64_t p);

/* Overlapping patches of k x k pixels around every stride-th pixel, both 1 to 7, zeros outside,
 * placed as mdf_depthwise() places them: x [B,H,W,C] -> [B,ceil(H/stride),ceil(W/stride),C*k*k], a
 * patch's numbers in (c, row, col) order, so that a linear layer with a conv weight [O,C,k,k] is
 * that strided convolution. */
mdf_tensor *mdf_unfold(mdf_graph *g, mdf_tensor *x, int64_t k, int64_t stride);

/* --- pictures --- */

/* y = relu?(group_norm(x [B,H,W,C])); w, b [C] or both NULL. */
mdf_tensor *mdf_group_norm(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b,
                           int64_t groups, mdf_real eps, bool relu);
mdf_tensor *mdf_max_pool2x2(mdf_graph *g, mdf_tensor *x);
/* [B,H,W,Ca], [B,H,W,Cb] -> [B,H,W,Ca+Cb] */
mdf_tensor *mdf_concat_channels(mdf_graph *g, mdf_tensor *a, mdf_tensor *b);
/* Cuts x [B,H,W,C] into grid x grid equal patches, averages each down to cells x cells:
 * -> [B*grid*grid, cells*cells*C]; row = one patch, cells row-major, channels last. H and W must be
 * multiples of grid*cells. */
mdf_tensor *mdf_patch_pool(mdf_graph *g, mdf_tensor *x, int64_t grid, int64_t cells);

/* --- norms, activations, elementwise --- */

mdf_tensor *mdf_layer_norm(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b, mdf_real eps);
mdf_tensor *mdf_rms_norm(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_real eps);
mdf_tensor *mdf_gelu(mdf_graph *g, mdf_tensor *x);
mdf_tensor *mdf_swiglu(mdf_graph *g, mdf_tensor *gate, mdf_tensor *up); /* silu(gate) * up */
mdf_tensor *mdf_add(mdf_graph *g, mdf_tensor *a, mdf_tensor *b);        /* equal shapes */
mdf_tensor *mdf_scale(mdf_graph *g, mdf_tensor *x, mdf_real s);
/* y = x + tanh(gate[1]) * (mask_n * z); shapes of x and z equal. row_mask [N] of 0/1 over the rows
 * (last dimension), caller-owned, or NULL. A gate of exactly zero returns x's numbers bit for bit.
 */
mdf_tensor *mdf_gated_add(mdf_graph *g, mdf_tensor *x, mdf_tensor *z, mdf_tensor *gate,
                          const uint8_t *row_mask);
/* FiLM (Perez et al. 2018): y = (1 + gamma_b) * x + beta_b. x [B*R, S*C], film [B, 2C] = gamma |
 * beta; every one of the S groups of C channels in a row takes the same gamma and beta. */
mdf_tensor *mdf_film(mdf_graph *g, mdf_tensor *x, mdf_tensor *film);
/* x [.., C] with tanh(gate[1]) or (1 - tanh(gate)) times rows of a table: y[n,:] = x[n,:] + s *
 * table[row[n],:]; row[n] < 0 adds nothing. table [R,C]; gate NULL: s = 1. complement: s = 1 -
 * tanh. row is caller-owned. */
mdf_tensor *mdf_add_rows(mdf_graph *g, mdf_tensor *x, mdf_tensor *table, mdf_tensor *gate,
                         bool complement, const int32_t *row);
/* y[n,:] = x[row[n],:]; row[n] < 0 gives zeros. x [M,C] -> [count,C]. Also the token embedding.
 * row is caller-owned. */
mdf_tensor *mdf_gather_rows(mdf_graph *g, mdf_tensor *x, const int32_t *row, int64_t count);
/* The first count rows of x [M,C], without a copy; a raw x stays raw. */
mdf_tensor *mdf_first_rows(mdf_graph *g, mdf_tensor *x, int64_t count);
/* [Na,C], [Nb,C] -> [Na+Nb,C] */
mdf_tensor *mdf_concat_rows(mdf_graph *g, mdf_tensor *a, mdf_tensor *b);
/* Feature-wise interleave of k tensors [N,C] behind a first one: [N, C + k*C] with element
 * C + k*d + i = rest[i][d] (Llama 3.2 Vision's intermediate features). */
mdf_tensor *mdf_concat_interleave(mdf_graph *g, mdf_tensor *first, mdf_tensor *const *rest, int k);
/* Mean over row ranges: y[b,:] = mean of x[begin[b] .. begin[b]+count[b]-1,:]. Caller-owned. */
mdf_tensor *mdf_mean_rows(mdf_graph *g, mdf_tensor *x, const int32_t *begin, const int32_t *count,
                          int64_t b);
/* Inverted dropout; identity when rate is 0 or the graph does not train. */
mdf_tensor *mdf_dropout(mdf_graph *g, mdf_tensor *x, mdf_real rate, uint64_t seed);

/* --- attention --- */

typedef enum mdf_attend {
    MDF_ATTEND_FULL,   /* every query sees every key of its segment */
    MDF_ATTEND_CAUSAL, /* query i sees keys 0..past+i */
    MDF_ATTEND_TREE,   /* keys 0..prefix-1 causal; beyond it only ancestors (tree) and itself */
    MDF_ATTEND_PAIR    /* a pair is forbidden only when both are invalid */
} mdf_attend;

/* A query belongs to one segment at most; one without a segment gets zeros. Segments may share keys
 * (rows of one text that see different pictures). */
typedef struct mdf_attn_segment {
    int64_t q0, nq; /* rows of q */
    int64_t k0, nk; /* rows of k and v */
    int64_t prefix; /* TREE: keys before the tree */
    int64_t past;   /* CAUSAL and TREE: query i is the text's token past + i; the keys before come
                       from a cache */
} mdf_attn_segment;

typedef struct mdf_attn_plan {
    mdf_attend kind;
    int64_t heads, kv_heads, head_dim;
    const mdf_attn_segment *segment; /* caller-owned, as the arrays below */
    int64_t segments;
    const mdf_real *key_bias; /* [Nk] added to the scores (ln of a multiplicity) or NULL */
    const uint8_t *invalid;   /* PAIR: [Nk], q and k are the same tokens */
    const uint8_t *tree;      /* TREE: [tree_nodes,tree_nodes], row sees column */
    int64_t tree_nodes;
    mdf_real *map_out; /* inference: [Nq, nk of its segment] mean over heads of the weights, rows
                          packed segment by segment; or NULL */
} mdf_attn_plan;

/* Scaled dot-product attention with grouped key/value heads: q [Nq, heads*hd], k, v [Nk,
 * kv_heads*hd] -> [Nq, heads*hd]; scale 1/sqrt(hd). Backward recomputes the weights from a saved
 * log-sum-exp. The plan is copied, its arrays are borrowed until the graph is reset.
 * Keys and values of a cache lie head by head: raw [kv_heads, Nk, hd] of F32, F16, BF16 or Q8_0,
 * without training and without map_out. */
mdf_tensor *mdf_attention(mdf_graph *g, mdf_tensor *q, mdf_tensor *k, mdf_tensor *v,
                          const mdf_attn_plan *plan);
/* Rotary position embedding, half-split pairs (i, i + hd/2): x [N, heads*hd]; position [N] and
 * inv_freq [hd/2] caller-owned. */
mdf_tensor *mdf_rope(mdf_graph *g, mdf_tensor *x, const int32_t *position, const mdf_real *inv_freq,
                     int64_t heads);

/* --- answers and losses --- */

/* Log-probability of one token per row: y[n] = log softmax(logits[n,:])[target[n]]. */
mdf_tensor *mdf_log_prob(mdf_graph *g, mdf_tensor *logits, const int32_t *target);
/* Weighted sums of rows' numbers: y[i] = sum_j weight[j] * x[index[j]], j in
 * offset[i]..offset[i+1]-1; x [N] -> [count]. Arrays caller-owned. */
mdf_tensor *mdf_segment_sum(mdf_graph *g, mdf_tensor *x, const int32_t *index,
                            const mdf_real *weight, const int32_t *offset, int64_t count);
/* Softmax cross entropy with label smoothing: mean over rows with label >= 0 of
 * -sum_k t_k log p_k, t = (1-s) onehot + s/K. logits [N,K] -> [1]. allowed [N,K] or NULL: labels
 * with 0 are left out of a labelled row's softmax and smoothing; its own must be allowed.
 * prob_out [N,K] or NULL. Arrays caller-owned. */
mdf_tensor *mdf_cross_entropy(mdf_graph *g, mdf_tensor *logits, const int32_t *label,
                              const uint8_t *allowed, mdf_real smoothing, mdf_real *prob_out);
/* Binary cross entropy + soft Dice loss per image and channel: sum_j w_j bce_j / (H W)
 * + 1 - (2 sum_j w_j p_j t_j + 1) / (sum_j w_j (p_j + t_j) + 1). logits [B,H,W,C]; target the same
 * count in 0..1; weight [B,C] 0/1 says which masks exist; pixel [B,H,W,C] are the w_j, from 0,
 * NULL: all 1. Arrays caller-owned. -> [1], the mean over existing masks (0 if none). */
mdf_tensor *mdf_mask_loss(mdf_graph *g, mdf_tensor *logits, const mdf_real *target,
                          const mdf_real *weight, const mdf_real *pixel);
/* a*x + b*y of two [1] losses; either may be NULL when its factor is 0. */
mdf_tensor *mdf_loss_sum(mdf_graph *g, mdf_tensor *x, mdf_real a, mdf_tensor *y, mdf_real b);

#endif
