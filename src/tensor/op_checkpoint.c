/* Gradient checkpointing: a part of a network that leaves nothing behind but its result, and is
 * computed again when its gradient is asked for. */
#include <string.h>

#include "tensor/op.h"

typedef struct checkpoint_saved {
    mdf_subnet run;
    const void *context;
} checkpoint_saved;

/* The part once more, on a tape of its own, and that tape backwards. What it needs lives above the
 * mark and is gone afterwards; gradients of the inputs have their places below. */
static void checkpoint_backward(mdf_graph *g, const mdf_node *node)
{
    const checkpoint_saved *s = node->saved;
    for (int i = 0; i < MDF_NODE_INPUTS; i++) {
        (void)mdf_grad_add_target(g, node->in[i]);
    }
    struct mdf_free_block *const free_blocks = g->free_blocks;
    const mdf_arena_mark mark = mdf_arena_mark_now(&g->arena);
    g->free_blocks = NULL;
    g->last = NULL;
    mdf_tensor *y = s->run(g, s->context, node->in);
    if (y != NULL && y->needs_grad) {
        y->grad = node->out->grad;
        mdf_graph_unwind(g);
    }
    mdf_arena_rewind(&g->arena, mark);
    g->free_blocks = free_blocks;
    g->last = NULL;
}

static const mdf_op op_checkpoint = {"checkpoint", checkpoint_backward};

mdf_tensor *mdf_checkpoint(mdf_graph *g, mdf_subnet run, const void *context, size_t bytes,
                           mdf_tensor *const in[], int inputs)
{
    assert(inputs <= MDF_NODE_INPUTS);
    if (!g->train || g->untaped) {
        return run(g, context, in);
    }
    checkpoint_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    void *copy = mdf_graph_alloc(g, 1, bytes);
    if (s == NULL || copy == NULL) {
        return NULL;
    }
    memcpy(copy, context, bytes);
    *s = (checkpoint_saved){run, copy};
    const mdf_scope scope = mdf_scope_begin(g);
    g->untaped = true;
    g->left_out = false;
    mdf_tensor *y = mdf_scope_keep(g, &scope, run(g, copy, in));
    g->untaped = false;
    if (y == NULL || !g->left_out) { /* nothing in it is trained */
        return y;
    }
    return mdf_graph_record_always(g, &op_checkpoint, y, in, inputs, s);
}
