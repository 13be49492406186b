/* The loader thread: fills the next batch while the model computes this one. */
#include "train/prefetch.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/rng.h"

struct mdf_prefetch {
    const mdf_config *config;
    const mdf_samples *pictures, *crops;
    mdf_batch_buffer buffer[2];
    pthread_t thread;
    bool running; /* the thread exists */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock: */
    const mdf_epoch_plan *plan; /* NULL: idle */
    uint64_t seed;
    size_t next;   /* batch to be filled */
    size_t taken;  /* batches handed out */
    size_t filled; /* batches ready, taken ones included */
    bool busy;     /* filling right now */
    bool quit;
    mdf_status status;
    mdf_error error;
};

/* Two buffers: the one handed out last stays untouched until the next take. */
static bool may_fill(const mdf_prefetch *p)
{
    return p->plan != NULL && p->status == MDF_OK && p->next < p->plan->batches &&
           p->filled - p->taken < 1;
}

static void fill_next(mdf_prefetch *p)
{
    const mdf_epoch_plan *plan = p->plan;
    const size_t n = p->next;
    const mdf_mask_name *focus = mdf_epoch_plan_focus(plan, n);
    mdf_batch_buffer *b = &p->buffer[p->filled % 2];
    const mdf_batch_options opt = {
        .augment = true, .masks = true, .seed = mdf_rng_mix(p->seed, n), .focus = focus};
    mdf_error error = {0};
    p->busy = true;
    (void)pthread_mutex_unlock(&p->lock);
    const mdf_status status = mdf_batch_fill(b, p->config, focus != NULL ? p->crops : p->pictures,
                                             plan->index + plan->begin[n],
                                             plan->begin[n + 1] - plan->begin[n], &opt, &error);
    (void)pthread_mutex_lock(&p->lock);
    p->busy = false;
    p->status = status;
    p->error = error;
    p->next++;
    p->filled++;
    (void)pthread_cond_broadcast(&p->changed);
}

static void *work(void *user)
{
    mdf_prefetch *p = user;
    (void)pthread_mutex_lock(&p->lock);
    while (!p->quit) {
        if (may_fill(p)) {
            fill_next(p);
        } else {
            (void)pthread_cond_wait(&p->changed, &p->lock);
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

mdf_status mdf_prefetch_new(mdf_prefetch **out, const mdf_config *c, const mdf_samples *pictures,
                            const mdf_samples *crops, const mdf_label_tree *tree, size_t batch,
                            mdf_error *err)
{
    *out = NULL;
    mdf_prefetch *p = mdf_alloc(1, sizeof *p);
    if (p == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the loader");
    }
    p->config = c;
    p->pictures = pictures;
    p->crops = crops;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    mdf_status status = mdf_batch_buffer_new(&p->buffer[0], c, tree, batch, err);
    if (status == MDF_OK) {
        status = mdf_batch_buffer_new(&p->buffer[1], c, tree, batch, err);
    }
    if (status == MDF_OK && pthread_create(&p->thread, NULL, work, p) != 0) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "can't start the loader thread");
    }
    p->running = status == MDF_OK;
    if (status != MDF_OK) {
        mdf_prefetch_free(p);
        return status;
    }
    *out = p;
    return MDF_OK;
}

void mdf_prefetch_free(mdf_prefetch *p)
{
    if (p == NULL) {
        return;
    }
    if (p->running) {
        (void)pthread_mutex_lock(&p->lock);
        p->quit = true;
        (void)pthread_cond_broadcast(&p->changed);
        (void)pthread_mutex_unlock(&p->lock);
        (void)pthread_join(p->thread, NULL);
    }
    mdf_batch_buffer_free(&p->buffer[0]);
    mdf_batch_buffer_free(&p->buffer[1]);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    mdf_free(p);
}

mdf_status mdf_prefetch_start(mdf_prefetch *p, const mdf_epoch_plan *plan, size_t first,
                              uint64_t seed, mdf_error *err)
{
    (void)err;
    mdf_prefetch_stop(p);
    (void)pthread_mutex_lock(&p->lock);
    p->plan = plan;
    p->seed = seed;
    p->next = first;
    p->taken = p->filled = 0;
    p->status = MDF_OK;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    return MDF_OK;
}

mdf_status mdf_prefetch_take(mdf_prefetch *p, const mdf_batch **batch, mdf_error *err)
{
    (void)pthread_mutex_lock(&p->lock);
    while (p->filled == p->taken && p->status == MDF_OK) {
        (void)pthread_cond_wait(&p->changed, &p->lock);
    }
    const mdf_status status = p->status;
    if (status == MDF_OK) {
        *batch = &p->buffer[p->taken % 2].batch;
        p->taken++;
        (void)pthread_cond_broadcast(&p->changed);
    } else if (err != NULL) {
        *err = p->error;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return status;
}

void mdf_prefetch_stop(mdf_prefetch *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->plan = NULL;
    while (p->busy) {
        (void)pthread_cond_wait(&p->changed, &p->lock);
    }
    (void)pthread_mutex_unlock(&p->lock);
}
