/* A comparison of heat-maps as a table for people and as JSON. */
#include <math.h>
#include <string.h>

#include "engine/heat_compare.h"

static const char *const key[MDF_HEAT_SAYS] = {"pointing",      "skill",           "auprc",
                                               "mass_gain",     "deletion",        "insertion",
                                               "shuffled_head", "shuffled_encoder"};
static const char *const head[MDF_HEAT_SAYS] = {"pointing", "skill",  "AUPRC",  "gain",
                                                "deletion", "insert", "rho(h)", "rho(e)"};

void mdf_heat_row_name(mdf_strbuf *out, const mdf_heat_row *row)
{
    mdf_strbuf_printf(out, "%s", row->method);
    if (row->depth > 0) {
        mdf_strbuf_printf(out, ", depth %d", row->depth);
    } else if (row->joined) {
        mdf_strbuf_printf(out, ", %s", mdf_heat_joining_names[row->joining]);
    }
}

void mdf_heat_compare_about(mdf_strbuf *out, const mdf_heat_compare *c)
{
    mdf_strbuf_printf(out, "%zu of %zu right answers", c->n, c->right);
    if (c->masks > 0) {
        mdf_strbuf_printf(out, ", of which %zu have a mask (%zu empty ones were passed over)",
                          c->masks, c->empty);
    } else {
        mdf_strbuf_printf(out, "; none has a mask");
    }
    mdf_strbuf_printf(out, "; at most %zu, drawn with seed %llu", c->limit,
                      (unsigned long long)c->seed);
    if (!c->shuffled) {
        mdf_strbuf_printf(out, "; no shuffled model, since weights stay in their files");
    }
}

/* Mean of the numbers that there are. */
static double mean(const double *x, size_t n)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        sum += isnan(x[i]) ? 0 : x[i];
        count += isnan(x[i]) ? 0 : 1;
    }
    return count == 0 ? (double)NAN : sum / (double)count;
}

static void print_number(mdf_strbuf *out, double v, int width)
{
    if (isnan(v)) {
        mdf_strbuf_printf(out, " %*s", width, "-");
    } else {
        mdf_strbuf_printf(out, " %*.3f", width, v);
    }
}

static mdf_status print_row(mdf_strbuf *out, const mdf_heat_compare *c, size_t i, int label,
                            size_t resamples, mdf_error *err)
{
    const mdf_heat_row *row = &c->row[i];
    mdf_strbuf name = mdf_strbuf_new(128);
    mdf_heat_row_name(&name, row);
    mdf_strbuf_printf(out, "%-22s", name.data != NULL ? name.data : row->method);
    mdf_strbuf_free(&name);
    for (int k = 0; k < MDF_HEAT_SAYS; k++) {
        mdf_estimate e;
        MDF_TRY(mdf_heat_estimate(&e, c, i, (mdf_heat_number)k, label, resamples, err));
        print_number(out, e.value, 8);
        if (k == MDF_HEAT_SAYS_SKILL) {
            if (isnan(e.ci.low)) {
                mdf_strbuf_printf(out, " %15s", "-");
            } else {
                mdf_strbuf_printf(out, " [%6.3f,%6.3f]", e.ci.low, e.ci.high);
            }
        }
    }
    print_number(out, row->ms, 8);
    mdf_strbuf_printf(out, "\n");
    return MDF_OK;
}

/* Skill by label of the maps that all depths make. */
static mdf_status print_labels(mdf_strbuf *out, const mdf_heat_compare *c, const mdf_evaluation *ev,
                               mdf_error *err)
{
    mdf_strbuf_printf(out, "\nskill by label (n)\n");
    for (size_t i = 0; i < c->rows; i++) {
        if (c->row[i].depth != 0) {
            continue;
        }
        mdf_strbuf name = mdf_strbuf_new(128);
        mdf_heat_row_name(&name, &c->row[i]);
        mdf_strbuf_printf(out, "%-22s", name.data != NULL ? name.data : c->row[i].method);
        mdf_strbuf_free(&name);
        for (size_t k = 0; k < ev->classes; k++) {
            mdf_estimate e;
            MDF_TRY(mdf_heat_estimate(&e, c, i, MDF_HEAT_SAYS_SKILL, (int)k, 0, err));
            if (e.n > 0) {
                mdf_strbuf_printf(out, "  %s %.3f (%zu)", ev->label_name[k], e.value, e.n);
            }
        }
        mdf_strbuf_printf(out, "\n");
    }
    return MDF_OK;
}

mdf_status mdf_heat_compare_text(mdf_strbuf *out, const mdf_heat_compare *c,
                                 const mdf_evaluation *ev, size_t resamples, mdf_error *err)
{
    mdf_strbuf_printf(out, "\nheat-maps: ");
    mdf_heat_compare_about(out, c);
    mdf_strbuf_printf(out, "\n");
    if (c->n == 0) {
        return MDF_OK;
    }
    mdf_strbuf_printf(out, "16 x 16 cells without neighbours; a random cell hits in a share of");
    print_number(out, mean(c->chance, c->n), 0);
    mdf_strbuf_printf(out, ", prevalence of the mask's pixels");
    print_number(out, mean(c->area, c->n), 0);
    mdf_strbuf_printf(out, "\n%-22s", "");
    for (int k = 0; k < MDF_HEAT_SAYS; k++) {
        mdf_strbuf_printf(out, " %8s%s", head[k],
                          k == MDF_HEAT_SAYS_SKILL ? " [   95 %      ]" : "");
    }
    mdf_strbuf_printf(out, " %8s\n", "ms");
    for (size_t i = 0; i < c->rows; i++) {
        MDF_TRY(print_row(out, c, i, -1, resamples, err));
    }
    return c->masks > 0 ? print_labels(out, c, ev, err) : MDF_OK;
}

static json_t *number(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

static json_t *estimate_json(const mdf_estimate *e)
{
    json_t *ci = isnan(e->ci.low) ? json_null() : json_pack("[f,f]", e->ci.low, e->ci.high);
    return json_pack("{s:o, s:o, s:I}", "value", number(e->value), "ci", ci, "n", (json_int_t)e->n);
}

/* All numbers of a row over a label's cases, put into an object. */
static mdf_status add_numbers(json_t *to, const mdf_heat_compare *c, size_t row, int label,
                              size_t resamples, mdf_error *err)
{
    for (int k = 0; k < MDF_HEAT_SAYS; k++) {
        mdf_estimate e;
        MDF_TRY(mdf_heat_estimate(&e, c, row, (mdf_heat_number)k, label, resamples, err));
        if (json_object_set_new(to, key[k], estimate_json(&e)) != 0) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the result");
        }
    }
    return MDF_OK;
}

static mdf_status row_json(json_t *maps, const mdf_heat_compare *c, size_t i,
                           const mdf_evaluation *ev, size_t resamples, mdf_error *err)
{
    const mdf_heat_row *row = &c->row[i];
    json_t *depth = row->depth > 0 ? json_integer(row->depth)
                    : row->joined  ? json_string("all")
                                   : json_null();
    json_t *joined = row->joined ? json_string(mdf_heat_joining_names[row->joining]) : json_null();
    json_t *object = json_pack("{s:s, s:o, s:o, s:o}", "method", row->method, "depth", depth,
                               "joined", joined, "ms", number(row->ms));
    if (object == NULL || json_array_append_new(maps, object) != 0) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the result");
    }
    MDF_TRY(add_numbers(object, c, i, -1, resamples, err));
    json_t *classes = json_object();
    if (json_object_set_new(object, "per_class", classes) != 0) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the result");
    }
    for (size_t k = 0; k < ev->classes; k++) {
        json_t *one = json_object();
        if (json_object_set_new(classes, ev->label_name[k], one) != 0) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the result");
        }
        MDF_TRY(add_numbers(one, c, i, (int)k, resamples, err));
    }
    return MDF_OK;
}

mdf_status mdf_heat_compare_json(json_t **out, const mdf_heat_compare *c, const mdf_evaluation *ev,
                                 size_t resamples, mdf_error *err)
{
    json_t *maps = json_array();
    json_t *o = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:b, s:o, s:o, s:o}", "cases", (json_int_t)c->n,
        "right", (json_int_t)c->right, "masks", (json_int_t)c->masks, "empty", (json_int_t)c->empty,
        "limit", (json_int_t)c->limit, "seed", (json_int_t)c->seed, "cells", MDF_OCCLUSION_SIDE,
        "shuffled", c->shuffled, "chance", number(mean(c->chance, c->n)), "prevalence",
        number(mean(c->area, c->n)), "maps", maps);
    mdf_status status =
        o == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the result") : MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < c->rows; i++) {
        status = row_json(maps, c, i, ev, resamples, err);
    }
    if (status != MDF_OK) {
        json_decref(o);
        return status;
    }
    *out = o;
    return MDF_OK;
}
