/* Where a pull fetches from and with whose token, out of what is given: the address, flags, and
 * variables of the environment. A token in a variable belongs to the hub in the variable beside it
 * (MDF_TOKEN to MDF_HUB, HF_TOKEN to HF_ENDPOINT): it goes to that scheme, host and port alone.
 * When the variable beside it is not set, it goes to a hub that the command line names. */
#ifndef MDF_HUB_PULL_SOURCE_H
#define MDF_HUB_PULL_SOURCE_H

#include "hub/hub_address.h"

/* NULL = not given; strings are borrowed. */
typedef struct mdf_pull_given {
    const char *address; /* see hub_address.h */

    const char *hub;      /* --hub */
    const char *revision; /* --revision */
    const char *token;    /* what is in --token-file */

    /* The variables of these names. */
    const char *mdf_hub, *mdf_token;
    const char *hf_endpoint, *hf_token;
} mdf_pull_given;

typedef struct mdf_pull_source {
    mdf_hub_address at;   /* complete: no "" in it */
    const char *hub_by;   /* what named the hub: "the address", "--hub", "MDF_HUB", "HF_ENDPOINT" */
    bool hub_typed;       /* the command line named it */
    const char *token;    /* NULL = none */
    const char *token_by; /* "--token-file", "MDF_TOKEN", "HF_TOKEN"; NULL = no token */
    const char *other_token;    /* no token, but this variable has one that belongs to ... */
    const char *other_token_to; /* ... the hub in this variable; NULL = there is none such */
} mdf_pull_source;

/* MDF_ERR_ARG: no hub, or two of address and flags contradict each other. Else as
 * mdf_hub_address_parse(). */
mdf_status mdf_pull_source_choose(mdf_pull_source *out, const mdf_pull_given *given,
                                  mdf_error *err) MDF_NODISCARD;

#endif
