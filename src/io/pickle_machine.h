/* What the pickle*.c files share: the stack, the memo and the containers of the machine. */
#ifndef MDF_IO_PICKLE_MACHINE_H
#define MDF_IO_PICKLE_MACHINE_H

#include "io/pickle.h"

enum { MDF_PICKLE_MAX_MARKS = 64 };

/* What runs a pickle. */
typedef struct mdf_pickle_machine {
    mdf_pickle *p;
    const uint8_t *bytes;
    size_t len, at;
    const mdf_pickle_global *allowed;
    size_t allowed_count;
    mdf_pickle_value *stack; /* [depth] */
    size_t depth, stack_capacity;
    mdf_pickle_value *memo; /* [memo_capacity]; len SIZE_MAX: not set */
    size_t memo_capacity;
    size_t memo_next;                  /* MEMOIZE's next slot */
    size_t mark[MDF_PICKLE_MAX_MARKS]; /* [marks] stack depths */
    size_t marks;
    size_t made; /* values pushed so far */
    bool stop;
    const char *path;
    mdf_error *err;
} mdf_pickle_machine;

/* "the pickle <what>", with the byte where it is. */
mdf_status mdf_pickle_fail(const mdf_pickle_machine *m, const char *what);
mdf_status mdf_pickle_fail_limit(const mdf_pickle_machine *m, const char *what);

/* The next n bytes; past the end: MDF_ERR_FORMAT. */
mdf_status mdf_pickle_take(mdf_pickle_machine *m, size_t n, const uint8_t **out) MDF_NODISCARD;

/* A little-endian number of up to 8 bytes. */
mdf_status mdf_pickle_take_number(mdf_pickle_machine *m, size_t bytes, uint64_t *out) MDF_NODISCARD;

/* The stack. Values below the last mark cannot be taken. */
mdf_status mdf_pickle_push(mdf_pickle_machine *m, mdf_pickle_value v) MDF_NODISCARD;
size_t mdf_pickle_above_mark(const mdf_pickle_machine *m);
mdf_status mdf_pickle_need(const mdf_pickle_machine *m, size_t n) MDF_NODISCARD;
mdf_status mdf_pickle_need_mark(const mdf_pickle_machine *m) MDF_NODISCARD;
mdf_pickle_value *mdf_pickle_top(const mdf_pickle_machine *m, size_t below);

/* The memo: values under numbers. */
mdf_status mdf_pickle_memo_put(mdf_pickle_machine *m, uint64_t slot) MDF_NODISCARD;
mdf_status mdf_pickle_memo_get(mdf_pickle_machine *m, uint64_t slot) MDF_NODISCARD;

/* Copies of count items; NULL: no memory. push_items() then fails. */
mdf_pickle_items *mdf_pickle_new_items(mdf_pickle_machine *m, const mdf_pickle_value *item,
                                       size_t count);
mdf_status mdf_pickle_push_items(mdf_pickle_machine *m, mdf_pickle_kind kind,
                                 mdf_pickle_items *x) MDF_NODISCARD;

/* The n uppermost values become a tuple. */
mdf_status mdf_pickle_make_tuple(mdf_pickle_machine *m, size_t n) MDF_NODISCARD;

/* The n uppermost values, or those above the last mark, move into the container below. */
mdf_status mdf_pickle_extend(mdf_pickle_machine *m, mdf_pickle_kind kind, size_t n) MDF_NODISCARD;
mdf_status mdf_pickle_extend_to_mark(mdf_pickle_machine *m, mdf_pickle_kind kind) MDF_NODISCARD;

#endif
