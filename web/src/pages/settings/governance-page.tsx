import { useQuery } from "@tanstack/react-query";
import type { GovernanceSettings, GovernanceSettingsPatch } from "@versioner/client";
import { useState } from "react";

import { changeGovernanceSettings, reloadGovernanceSettings, revisedSettingsQuery } from "../../api/governance";
import { usePermission } from "../../api/session";
import { Button } from "../../components/button";
import { Fact, Facts } from "../../components/facts";
import { NoPermission } from "../../components/no-permission";
import { Page, Panel } from "../../components/page";
import { WhenLoaded } from "../../components/states";
import { Time } from "../../components/time";
import { EditDialog } from "../../forms/edit-dialog";
import type { FormField, Values } from "../../forms/fields";

const FIELDS: readonly FormField[] = [
  {
    name: "break_glass_max_minutes",
    label: "Minutes of a break-glass grant at most",
    kind: "number",
    isRequired: true,
    maxLength: 3,
    help: "1 to 240. Grants that exist keep theirs.",
  },
  { name: "break_glass_second_person", label: "Another user must confirm a break-glass grant", kind: "check" },
  { name: "requester_may_approve", label: "Users may approve what they have requested", kind: "check" },
  { name: "approval_mails", label: "E-mail about requests to approvers and requesters", kind: "check" },
];

const check = (isOn: boolean) => (isOn ? "on" : "");

const valuesOf = (settings: GovernanceSettings): Values => ({
  break_glass_max_minutes: String(settings.break_glass_max_minutes),
  break_glass_second_person: check(settings.break_glass_second_person),
  requester_may_approve: check(settings.requester_may_approve),
  approval_mails: check(settings.approval_mails),
});

const word = (isOn: boolean) => (isOn ? "✓ yes" : "– no");

/** The settings of approvals and break-glass grants, for administrators. */
export default function GovernancePage() {
  const mayManage = usePermission("governance.manage");
  const query = useQuery(revisedSettingsQuery);
  const [isOpen, setOpen] = useState(false);
  return (
    <Page
      title="Governance settings"
      lead="Settings of approvals and break-glass grants"
      actions={mayManage && query.data ? <Button onClick={() => setOpen(true)}>Change</Button> : null}
    >
      {mayManage ? (
        <Panel>
          <WhenLoaded query={query} skeletons={2}>
            {({ object: settings }) => (
              <Facts>
                <Fact name="Minutes of a break-glass grant at most">{settings.break_glass_max_minutes}</Fact>
                <Fact name="Another user must confirm a break-glass grant">
                  {word(settings.break_glass_second_person)}
                </Fact>
                <Fact name="Users may approve what they have requested">{word(settings.requester_may_approve)}</Fact>
                <Fact name="E-mail about requests to approvers and requesters">{word(settings.approval_mails)}</Fact>
                <Fact name="Changed">{settings.updated_at ? <Time at={settings.updated_at} /> : "never"}</Fact>
              </Facts>
            )}
          </WhenLoaded>
        </Panel>
      ) : (
        <NoPermission permission="governance.manage" what="change the settings of governance" />
      )}
      {isOpen && query.data ? (
        <EditDialog
          title="Change the settings of governance"
          fields={FIELDS}
          revised={query.data}
          load={reloadGovernanceSettings}
          valuesOf={valuesOf}
          save={(patch: GovernanceSettingsPatch, { etag }) => changeGovernanceSettings(patch, etag)}
          onClose={() => setOpen(false)}
        />
      ) : null}
    </Page>
  );
}
