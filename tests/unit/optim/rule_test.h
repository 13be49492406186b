/* What the tests of the optimisers share: a tensor with its state, and numbers to feed it. */
#ifndef MDF_TESTS_UNIT_OPTIM_RULE_TEST_H
#define MDF_TESTS_UNIT_OPTIM_RULE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "optim/optimizer_rule.h"

/* One tensor under one rule; owns everything. */
typedef struct subject {
    const mdf_optimizer_rule *rule;
    mdf_rule_tensor t;
    float *g; /* t.g, to be written */
    int64_t n;
    void *scratch;
} subject;

static inline void *need(size_t bytes)
{
    void *p = mdf_alloc(bytes, 1);
    assert_non_null(p);
    return p;
}

static inline subject subject_new(const mdf_optimizer_rule *rule, const mdf_rule_shape *shape)
{
    subject s = {.rule = rule, .n = mdf_rule_count(shape)};
    s.t.shape = *shape;
    s.t.w = need((size_t)s.n * sizeof(float));
    s.g = need((size_t)s.n * sizeof(float));
    s.t.g = s.g;
    s.t.state = need(rule->state_bytes(shape));
    s.scratch = need(rule->scratch_bytes(shape));
    memset(s.t.state, 0xa5, rule->state_bytes(shape)); /* init must write all of it */
    rule->init(s.t.state, shape);
    return s;
}

static inline void subject_free(subject *s)
{
    mdf_free(s->t.w);
    mdf_free(s->g);
    mdf_free(s->t.state);
    mdf_free(s->scratch);
}

static inline void normal(float *x, int64_t n, double deviation, uint64_t seed)
{
    mdf_rng rng = mdf_rng_new(seed, 1);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)(deviation * mdf_rng_normal(&rng));
    }
}

/* Of the same deviation, and fast. */
static inline void uniform(float *x, int64_t n, double deviation, uint64_t seed)
{
    uint32_t s = (uint32_t)seed * 2654435761U + 12345U;
    for (int64_t i = 0; i < n; i++) {
        s = s * 1664525U + 1013904223U;
        x[i] = (float)(((double)s / 2147483648.0 - 1) * 1.7320508 * deviation);
    }
}

static inline mdf_kernels *level(const char *name)
{
    mdf_kernels *k = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_kernels_new(&k, name, &err), MDF_OK);
    return k;
}

#endif
