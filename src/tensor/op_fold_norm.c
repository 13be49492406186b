/* A normalisation with fixed statistics becomes part of the layer before it. */
#include "tensor/op.h"

static mdf_real scale_of(const mdf_tensor *gamma, const mdf_tensor *var, mdf_real eps, int64_t i)
{
    return (mdf_real)((double)gamma->data[i] / sqrt((double)var->data[i] + (double)eps));
}

static void weight_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *w = node->in[0];
    mdf_tensor *gamma = node->in[1];
    const mdf_tensor *var = node->in[2];
    const mdf_real eps = *(const mdf_real *)node->saved;
    const mdf_real *dy = node->out->grad;
    const int64_t rows = w->dim[0];
    const int64_t n = mdf_tensor_count(w) / rows;
    bool acc = false;
    mdf_real *dgamma = mdf_grad_add_target(g, gamma);
    mdf_real *dw = mdf_grad_target(g, w, &acc);
    for (int64_t i = 0; i < rows; i++) {
        const mdf_real scale = scale_of(gamma, var, eps, i);
        if (dgamma != NULL) {
            dgamma[i] += (mdf_real)(g->kernels->dot(dy + i * n, w->data + i * n, n) /
                                    sqrt((double)var->data[i] + (double)eps));
        }
        for (int64_t j = 0; dw != NULL && j < n; j++) {
            dw[i * n + j] = (acc ? dw[i * n + j] : 0) + dy[i * n + j] * scale;
        }
    }
}

static const mdf_op op_weight = {"fold_norm_weight", weight_backward};

static bool is_row(const mdf_tensor *t, int64_t n)
{
    return t->rank == 1 && t->dim[0] == n;
}

mdf_tensor *mdf_fold_norm_weight(mdf_graph *g, mdf_tensor *w, mdf_tensor *gamma, mdf_tensor *var,
                                 mdf_real eps)
{
    if (w == NULL || gamma == NULL || var == NULL) {
        return NULL;
    }
    if (w->rank < 2 || w->dim[0] < 1 || !is_row(gamma, w->dim[0]) || !is_row(var, w->dim[0])) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_weight.name,
                              "want w [O,..], gamma [O] and var [O]");
    }
    mdf_tensor *y = mdf_graph_like(g, w);
    mdf_real *saved = mdf_graph_alloc(g, 1, sizeof *saved);
    if (y == NULL || saved == NULL) {
        return NULL;
    }
    *saved = eps;
    const int64_t n = mdf_tensor_count(w) / w->dim[0];
    for (int64_t i = 0; i < w->dim[0]; i++) {
        const mdf_real scale = scale_of(gamma, var, eps, i);
        for (int64_t j = 0; j < n; j++) {
            y->data[i * n + j] = w->data[i * n + j] * scale;
        }
    }
    return mdf_graph_record(g, &op_weight, y, (mdf_tensor *[]){w, gamma, var}, 3, saved);
}

static void bias_backward(mdf_graph *g, const mdf_node *node)
{
    const mdf_tensor *mean = node->in[2];
    const mdf_tensor *var = node->in[3];
    const mdf_real eps = *(const mdf_real *)node->saved;
    const mdf_real *dy = node->out->grad;
    mdf_real *dgamma = mdf_grad_add_target(g, node->in[0]);
    mdf_real *dbeta = mdf_grad_add_target(g, node->in[1]);
    for (int64_t i = 0; i < mean->dim[0]; i++) {
        if (dgamma != NULL) {
            dgamma[i] -= (mdf_real)((double)dy[i] * (double)mean->data[i] /
                                    sqrt((double)var->data[i] + (double)eps));
        }
        if (dbeta != NULL) {
            dbeta[i] += dy[i];
        }
    }
}

static const mdf_op op_bias = {"fold_norm_bias", bias_backward};

mdf_tensor *mdf_fold_norm_bias(mdf_graph *g, mdf_tensor *gamma, mdf_tensor *beta, mdf_tensor *mean,
                               mdf_tensor *var, mdf_real eps)
{
    if (gamma == NULL || beta == NULL || mean == NULL || var == NULL) {
        return NULL;
    }
    const int64_t n = gamma->rank == 1 ? gamma->dim[0] : -1;
    if (n < 0 || !is_row(beta, n) || !is_row(mean, n) || !is_row(var, n)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_bias.name, "want gamma, beta, mean and var [O]");
    }
    mdf_tensor *y = mdf_graph_like(g, beta);
    mdf_real *saved = mdf_graph_alloc(g, 1, sizeof *saved);
    if (y == NULL || saved == NULL) {
        return NULL;
    }
    *saved = eps;
    for (int64_t i = 0; i < n; i++) {
        y->data[i] = beta->data[i] - mean->data[i] * scale_of(gamma, var, eps, i);
    }
    return mdf_graph_record(g, &op_bias, y, (mdf_tensor *[]){gamma, beta, mean, var}, 4, saved);
}
