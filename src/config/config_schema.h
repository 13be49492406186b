/* The table behind config.h: one row per key. Only the config_*.c files use it. */
#ifndef MDF_CONFIG_CONFIG_SCHEMA_H
#define MDF_CONFIG_CONFIG_SCHEMA_H

#include "config/config.h"

typedef enum mdf_key_kind {
    MDF_KEY_INT,     /* int */
    MDF_KEY_REAL,    /* double */
    MDF_KEY_BOOL,    /* bool */
    MDF_KEY_CHOICE,  /* an enum, written as one of the words in `choice` */
    MDF_KEY_TEXT,    /* char[capacity] */
    MDF_KEY_INTS,    /* int[capacity] and, at count_offset, int */
    MDF_KEY_REALS,   /* double[capacity] and count */
    MDF_KEY_PAIRS,   /* mdf_map_entry[capacity] and count */
    MDF_KEY_LABELS,  /* char[capacity][MDF_MAX_LABEL_BYTES + 1] and count */
    MDF_KEY_STAGES,  /* char[capacity][MDF_STAGE_BYTES] of JSON objects, and count */
    MDF_KEY_WORDS,   /* enum[capacity] and count: each of the words in `choice` at most once */
    MDF_KEY_FIXED,   /* not stored: must be one of `choice`; the first is written */
    MDF_KEY_DERIVED, /* not stored: must agree with the other settings (config_parse.c) */
    MDF_KEY_OLD,     /* of earlier files, says in numbers what another key says now; not written */
    MDF_KEY_IGNORED  /* of Hugging Face's files, means nothing here; not written */
} mdf_key_kind;

typedef struct mdf_config_key {
    const char *section; /* "" = top level, "train_config.augment" */
    const char *name;
    mdf_key_kind kind;
    size_t offset, count_offset;
    int capacity;
    double min, max;           /* INT, REAL; of each item for lists of numbers */
    const char *const *choice; /* ends with NULL */
    const char *initial;       /* default, as JSON */
    bool required;             /* no default */
    bool repeats;              /* WORDS: the same one may come again */
    const char *doc;
} mdf_config_key;

enum { MDF_CONFIG_PATH = 96 }; /* bytes that hold any section.name, with NUL */

extern const mdf_config_key mdf_config_keys[];
extern const size_t mdf_config_key_count;

/* The names of the objects, in the order in which they are written. */
extern const char *const mdf_config_sections[];
extern const size_t mdf_config_section_count;

/* "train_config.epochs" */
void mdf_config_key_path(const mdf_config_key *k, char path[MDF_CONFIG_PATH]);

const mdf_config_key *mdf_config_find(const char *section, const char *name);

struct json_t;
/* Checks one value and stores it. */
mdf_status mdf_config_store(mdf_config *c, const mdf_config_key *k, const struct json_t *value,
                            mdf_error *err) MDF_NODISCARD;

/* The known name nearest to a misspelt one, or NULL when none is near. section NULL: of all
 * sections, compared by the last part. */
const char *mdf_config_nearest(const char *section, const char *name);

#endif
