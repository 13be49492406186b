/* Rotary position embedding, half-split pairs as in the Hugging Face layout of Llama. */
#include "tensor/op.h"

typedef struct rope_saved {
    const int32_t *position;  /* [N] */
    const mdf_real *inv_freq; /* [hd/2] */
    int64_t heads;
} rope_saved;

/* Row i of y (+)= that of x rotated by sign * position * inv_freq. */
static void rotate_row(mdf_real *y, const mdf_real *x, int64_t i, int64_t c, const rope_saved *s,
                       mdf_real sign, bool add)
{
    const int64_t hd = c / s->heads;
    const int64_t half = hd / 2;
    for (int64_t j = 0; j < half; j++) {
        /* the angle is a float product, as in the reference */
        const mdf_real angle = s->inv_freq[j] * (mdf_real)s->position[i];
        const mdf_real co = (mdf_real)cos((double)angle);
        const mdf_real si = sign * (mdf_real)sin((double)angle);
        for (int64_t head = 0; head < s->heads; head++) {
            const int64_t at = i * c + head * hd + j;
            const mdf_real a = x[at];
            const mdf_real b = x[at + half];
            const mdf_real ya = a * co - b * si;
            const mdf_real yb = b * co + a * si;
            y[at] = add ? y[at] + ya : ya;
            y[at + half] = add ? y[at + half] + yb : yb;
        }
    }
}

static void rotate(mdf_real *y, const mdf_real *x, int64_t n, int64_t c, const rope_saved *s,
                   mdf_real sign, bool add)
{
    if (n == 1) { /* a generated token: threads would cost more than it takes */
        rotate_row(y, x, 0, c, s, sign, add);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        rotate_row(y, x, i, c, s, sign, add);
    }
}

static void rope_backward(mdf_graph *g, const mdf_node *node)
{
    bool acc = false;
    mdf_real *dx = mdf_grad_target(g, node->in[0], &acc);
    if (dx != NULL) {
        rotate(dx, node->out->grad, mdf_row_count(node->out), mdf_last_dim(node->out), node->saved,
               -1, acc);
    }
}

static const mdf_op op_rope = {"rope", rope_backward};

mdf_tensor *mdf_rope(mdf_graph *g, mdf_tensor *x, const int32_t *position, const mdf_real *inv_freq,
                     int64_t heads)
{
    if (x == NULL) {
        return NULL;
    }
    if (heads < 1 || mdf_last_dim(x) % (2 * heads) != 0) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_rope.name, "want an even head dimension");
    }
    mdf_tensor *y = mdf_graph_like(g, x);
    rope_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    *s = (rope_saved){position, inv_freq, heads};
    rotate(y->data, x->data, mdf_row_count(x), mdf_last_dim(x), s, 1, false);
    return mdf_graph_record(g, &op_rope, y, &x, 1, s);
}
