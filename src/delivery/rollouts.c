#include "delivery/rollouts.h"

#include "base/error.h"
#include "delivery/rollout_private.h"
#include "format/json.h"

#include <stdio.h>

struct Rollouts {
    char *home;
    UnitManager *units;
    GMutex lock;
    GHashTable *running; /* ids */
};

typedef struct {
    Rollouts *rollouts;
    char *id;
} Job;

static gpointer run_job(gpointer data)
{
    Job *job = data;
    rollout_carry_on(job->rollouts->home, job->rollouts->units, job->id);
    g_mutex_lock(&job->rollouts->lock);
    g_hash_table_remove(job->rollouts->running, job->id);
    g_mutex_unlock(&job->rollouts->lock);
    g_free(job->id);
    g_free(job);
    return NULL;
}

static void begin(Rollouts *rollouts, const char *id)
{
    g_mutex_lock(&rollouts->lock);
    bool fresh = g_hash_table_add(rollouts->running, g_strdup(id));
    g_mutex_unlock(&rollouts->lock);
    if (!fresh)
        return;
    Job *job = g_new0(Job, 1);
    job->rollouts = rollouts;
    job->id = g_strdup(id);
    g_thread_unref(g_thread_new("rollout", run_job, job));
}

Rollouts *rollouts_new(const char *home, UnitManager *units)
{
    Rollouts *rollouts = g_new0(Rollouts, 1);
    rollouts->home = g_strdup(home);
    rollouts->units = units;
    g_mutex_init(&rollouts->lock);
    rollouts->running = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return rollouts;
}

static json_t *operate(void *self, const json_t *request, GError **error)
{
    const char *id = json_get_string(request, "id");
    if (id == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "deploy: no id");
        return NULL;
    }
    begin(self, id);
    return json_pack("{s:b}", "ok", 1);
}

SupervisorOperation rollouts_operation(Rollouts *rollouts)
{
    return (SupervisorOperation){.name = "deploy", .run = operate, .self = rollouts};
}

void rollouts_resume(void *self)
{
    Rollouts *rollouts = self;
    g_autoptr(GError) error = NULL;
    g_autoptr(Delivery) delivery = delivery_open(rollouts->home, rollouts->units, &error);
    g_autoptr(GPtrArray) all =
        delivery != NULL ? deployment_list(delivery, NULL, NULL, NULL, 1000, &error) : NULL;
    if (all == NULL) {
        fprintf(stderr, "resume: %s\n", error->message);
        return;
    }
    for (guint i = 0; i < all->len; i++) {
        const Deployment *d = g_ptr_array_index(all, i);
        if (deployment_is_active(d))
            begin(rollouts, d->id);
    }
}
