/* What is wrong with a data set, before hours of training find out. */
#ifndef MDF_DATA_CHECK_H
#define MDF_DATA_CHECK_H

#include <jansson.h>

#include "base/strbuf.h"
#include "data/manifest.h"

/* Two pictures count as the same when their hashes differ in at most so many of 64 bits and their
 * 32 x 32 colour thumbnails correlate at least so well. Photographs of one camera look alike: among
 * the 1.9 million pairs of ODIR-5K's 1,961 eyes, hashes of different eyes come as close as 2 bits,
 * but no pair passes both; of 123 eyes saved again at 60 % size, JPEG quality 60 and 5 % brighter,
 * more than nine tenths do. */
#define MDF_CHECK_SAME_BITS        8
#define MDF_CHECK_SAME_CORRELATION 0.997

typedef struct mdf_check_options {
    /* Called after every picture; false stops the check with MDF_ERR_STOPPED. May be NULL. */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
    bool skip_images; /* only what the table says: no picture and no mask is opened */
} mdf_check_options;

typedef struct mdf_check_pair {
    size_t first, second; /* case numbers, first < second */
    int bits;             /* differing bits of their hashes */
    double correlation;   /* of their thumbnails */
} mdf_check_pair;

/* Something about a file. */
typedef struct mdf_check_item {
    size_t number;    /* of the case */
    const char *path; /* of its picture or mask */
    char *reason;     /* a sentence that begins with the path */
} mdf_check_item;

typedef struct mdf_check_list {
    mdf_check_item *item; /* [count] */
    size_t count;
    size_t capacity;
} mdf_check_list;

typedef struct mdf_check_mask_count {
    size_t count;
    size_t empty; /* readable ones without a pixel of foreground */
    size_t boxes;
} mdf_check_mask_count;

/* Own sentence: the text without what it says about the fellow eye. */
typedef struct mdf_check_leak {
    size_t own;    /* cases whose label stands in their own sentence */
    size_t fellow; /* cases whose label stands only in the sentence about the fellow eye */
    size_t first;  /* one of the own ones, if any */
} mdf_check_leak;

/* Owns its memory, borrows the manifest; mdf_check_free(). */
typedef struct mdf_check {
    const mdf_manifest *m;
    const char **splits; /* [split_count] in order of appearance */
    size_t split_count;
    size_t *count;             /* [label_count + 1, split_count]; the last row has the unlabelled */
    mdf_check_list unreadable; /* pictures */
    mdf_check_list unusable_masks; /* unreadable, or not of their picture's shape; boxes outside */
    mdf_check_list unclear_masks;  /* whose values leave open what is meant (photo/mask.h) */
    mdf_check_mask_count masks[MDF_MASK_NAMES];
    mdf_check_pair *pairs; /* [pair_count] */
    size_t pair_count;
    size_t pairs_across_splits;
    size_t pairs_across_labels;
    size_t *torn; /* [torn_count] one case of each patient who is on several sides */
    size_t torn_count;
    mdf_check_leak *leak; /* [label_count] */
    size_t checked_images;
} mdf_check;

mdf_status mdf_check_run(mdf_check *out, const mdf_manifest *m, const mdf_check_options *o,
                         mdf_error *err) MDF_NODISCARD;
void mdf_check_free(mdf_check *c);

/* Faults that make results wrong: pictures or masks that cannot be used, patients or duplicates on
 * two sides. */
bool mdf_check_has_faults(const mdf_check *c);

json_t *mdf_check_json(const mdf_check *c); /* NULL when out of memory */
void mdf_check_text(mdf_strbuf *out, const mdf_check *c);

/* True when the label, its words ("retinitis_pigmentosa" as two) or a usual synonym stands in the
 * text as a whole word, whatever the case of the letters. */
bool mdf_check_names_label(const char *text, size_t len, const char *label);

#endif
