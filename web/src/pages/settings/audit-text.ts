/** What happened to an object, in the past tense, by the action of an audit entry. */
const VERBS: Record<string, string> = {
  "api_key.create": "created",
  "api_key.update": "changed",
  "api_key.rotate": "rotated",
  "api_key.revoke": "revoked",
  "api_key.replay": "repeated the creation of",
  "api_key.limit": "set the rate limit of",
  "account.limit": "set a limit of",
  "break_glass_grant.create": "created",
  "break_glass_grant.confirm": "confirmed",
  "break_glass_grant.revoke": "revoked",
  "break_glass_grant.expire": "expired",
  "break_glass_grant.review": "reviewed",
  "break_glass_grant.use": "used",
  "calendar_feed.create": "created",
  "calendar_feed.replay": "repeated the creation of",
  "calendar_feed.revoke": "revoked",
  "deployment_request.create": "created",
  "deployment_request.update": "changed",
  "deployment_request.delete": "deleted",
  "deployment_request.activate": "activated",
  "deployment_request.deactivate": "deactivated",
  "deployment_request.cancel": "cancelled",
  "deployment_request.complete": "completed",
  "deployment_request.approve": "approved",
  "deployment_request.reject": "rejected",
  "deployment_request.reset": "reset a decision about",
  "deployment_request.add_version": "added a version to",
  "deployment_request.remove_version": "removed a version from",
  "deployment_request.add_slot": "added an approval to",
  "deployment_request.remove_slot": "removed an approval from",
  "deployment_request.add_step": "added a step to",
  "deployment_request.remove_step": "removed a step from",
  "deployment_request.complete_step": "completed a step of",
  "deployment_request.reopen_step": "reopened a step of",
  "deployment_request.comment": "commented on",
  "deployment_request_template.create": "created",
  "deployment_request_template.update": "changed",
  "deployment_request_template.delete": "deleted",
  "deployment_rule.create": "created",
  "deployment_rule.update": "changed",
  "deployment_rule.delete": "deleted",
  "deployment_rule.import": "imported the windows of",
  "deployment_template.create": "created",
  "deployment_template.update": "changed",
  "deployment_template.delete": "deleted",
  "environment.create": "created",
  "environment.update": "changed",
  "environment.delete": "deleted",
  "governance_settings.update": "changed",
  "notification_channel.create": "created",
  "notification_channel.update": "changed",
  "notification_channel.delete": "deleted",
  "notification_channel.disable": "disabled",
  "notification_channel.resend_confirmations": "resent the confirmation e-mails of",
  "notification_delivery.redeliver": "redelivered",
  "notification_preference.create": "created",
  "notification_preference.update": "changed",
  "notification_preference.delete": "deleted",
  "notification_recipient.confirm": "confirmed",
  "product.create": "created",
  "product.update": "changed",
  "product.delete": "deleted",
  "release.create": "created",
  "release.update": "changed",
  "release.delete": "deleted",
  "release.add_version": "added a version to",
  "release.remove_version": "removed a version from",
  "session.create": "started",
  "session.end": "ended",
  "variable.create": "created",
  "variable.update": "changed",
  "variable.delete": "deleted",
  "version_approval.create": "decided on",
  "version_approval.revoke": "revoked",
  "user.assign_role": "assigned the role of",
};

const NOUNS: Record<string, string> = { api_key: "API key", break_glass_grant: "break-glass grant" };

export const nounOf = (objectType: string) => NOUNS[objectType] ?? objectType.replaceAll("_", " ");

/** The verb of an action; actions that this page does not know are shown as they are. */
export function verbOf(action: string): string {
  return VERBS[action] ?? `did ${action} to`;
}

/** The known actions with a text for a list of choices. */
export const ACTION_CHOICES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(VERBS).map((action) => {
    const [type = "", verb = ""] = action.split(".");
    return [action, `${nounOf(type)}: ${verb.replaceAll("_", " ")}`];
  }),
);

/** The page of an object, if it has one. */
export function pathOf(objectType: string, id: string): string | null {
  switch (objectType) {
    case "product":
      return `/products/${id}`;
    case "release":
      return `/releases/${id}`;
    case "api_key":
      return "/settings/keys";
    case "user":
      return "/settings/users";
    case "deployment_template":
    case "variable":
      return "/settings/buttons";
    case "break_glass_grant":
      return "/break-glass";
    case "deployment_request":
      return `/deployment-requests/${id}`;
    case "deployment_request_template":
      return "/deployment-requests/templates";
    case "governance_settings":
      return "/settings/governance";
    case "deployment_rule":
      return `/rules/${id}`;
    case "notification_channel":
      return "/notifications";
    case "notification_preference":
      return "/notifications/preferences";
    default:
      return null;
  }
}
