/* decide.h - a requested deployment meets its gates; and a command follows it to its end. */
#pragma once

#include "base/event.h"
#include "base/exit_status.h"
#include "delivery/deployment.h"
#include "delivery/gate.h"

/* Evaluates the gates of DEPLOYMENT (requested or waiting) and moves it: missing or failed
 * evidence → blocked, only people missing → waiting, nothing → approved. *GATES (may be NULL) for
 * the caller to free. */
bool decide(Delivery *delivery, Deployment *deployment, GPtrArray **gates, GError **error);

/* Hands an approved deployment to the supervisor (starting one) and follows it: events "deploy"
 * {environment,state,digest,url,…} and "deploy.step" go to SINK. The status of the table that its
 * final state means. *DEPLOYMENT is reloaded. */
ExitStatus decide_carry_out(Delivery *delivery, Deployment *deployment, EventSink *sink,
                            GError **error);

/* Both: a deployment that may go now goes, with an event "gate" for each gate and one for the
 * person it waits for. The status of the table for where it then stands. */
ExitStatus decide_and_carry_out(Delivery *delivery, Deployment *deployment, EventSink *sink,
                                GError **error);

/* An event "gate" {environment,gate,verdict,text} each; ENVIRONMENT NULL: of none. */
void decide_emit_gates(const GPtrArray *gates, const char *environment, EventSink *sink);

/* Event "approval.required" {id,environment,digest,command} for a waiting deployment. */
void decide_announce_approval(const Deployment *deployment, const GPtrArray *gates,
                              EventSink *sink);

/* "http://127.0.0.1:8080" where ENVIRONMENT of RELEASE is to be found. */
char *decide_url(const Release *release, const char *environment);

/* The status of the table for a deployment's state. */
ExitStatus decide_status(const Deployment *deployment);
