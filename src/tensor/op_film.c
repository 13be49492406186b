/* Feature-wise linear modulation (Perez et al. 2018). */
#include "tensor/op.h"

static void film_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *film = node->in[1];
    const int64_t b = film->dim[0];
    const int64_t c = film->dim[1] / 2;
    const int64_t rows = mdf_tensor_count(x) / (b * c);
    mdf_real *dx = mdf_grad_add_target(g, x);
    mdf_real *df = mdf_grad_add_target(g, film);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < b; i++) {
        const mdf_real *gamma = film->data + i * 2 * c;
        for (int64_t r = i * rows; r < (i + 1) * rows; r++) {
            const mdf_real *dy = node->out->grad + r * c;
            const mdf_real *xr = x->data + r * c;
            for (int64_t j = 0; j < c; j++) {
                if (dx != NULL) {
                    dx[r * c + j] += (1 + gamma[j]) * dy[j];
                }
                if (df != NULL) {
                    df[i * 2 * c + j] += xr[j] * dy[j];
                    df[i * 2 * c + c + j] += dy[j];
                }
            }
        }
    }
}

static const mdf_op op_film = {"film", film_backward};

mdf_tensor *mdf_film(mdf_graph *g, mdf_tensor *x, mdf_tensor *film)
{
    if (x == NULL || film == NULL) {
        return NULL;
    }
    if (film->rank != 2 || film->dim[1] % 2 != 0 || film->dim[1] == 0 ||
        mdf_last_dim(x) % (film->dim[1] / 2) != 0 || mdf_row_count(x) % film->dim[0] != 0) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_film.name, "want x [B*R,S*C], film [B,2C]");
    }
    mdf_tensor *y = mdf_graph_like(g, x);
    if (y == NULL) {
        return NULL;
    }
    const int64_t b = film->dim[0];
    const int64_t c = film->dim[1] / 2;
    const int64_t rows = mdf_tensor_count(x) / (b * c);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < b * rows; r++) {
        const mdf_real *gamma = film->data + r / rows * 2 * c;
        for (int64_t j = 0; j < c; j++) {
            y->data[r * c + j] = (1 + gamma[j]) * x->data[r * c + j] + gamma[c + j];
        }
    }
    return mdf_graph_record(g, &op_film, y, (mdf_tensor *[]){x, film}, 2, NULL);
}
