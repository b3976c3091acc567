import type { DeploymentRule, RuleMode } from "@versioner/client";

import type { Revised } from "../../api/lists";
import { changeRule, reloadRule } from "../../api/rules";
import { Name } from "../../components/name";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { BacktestResult } from "./backtest-result";

export const MODE_ACTIONS: Readonly<Record<RuleMode, string>> = {
  enabled: "Switch on",
  report_only: "Report only",
  disabled: "Disable",
};

const CONSEQUENCES: Readonly<Record<RuleMode, string>> = {
  enabled: " blocks deployments that start from now on. Those in progress go on.",
  report_only:
    " blocks nothing from now on: what it finds is in the answers to pipelines and in the list of violations.",
  disabled: " applies to no deployment that starts from now on.",
};

interface ModeDialogProps {
  revised: Revised<DeploymentRule>;
  mode: RuleMode;
  onClose: () => void;
}

/** Changes the mode of a rule. Before a rule is switched on, the dialog shows what it would have blocked. */
export function ModeDialog({ revised, mode, onClose }: ModeDialogProps) {
  const { id, name } = revised.object;
  return (
    <ConfirmDialog
      title={`${MODE_ACTIONS[mode]}: ${name}`}
      action={MODE_ACTIONS[mode]}
      isDangerous={false}
      isWide={mode === "enabled"}
      outdated="Another user has changed this rule. Its mode has not been changed; look at it again before you do."
      run={() => changeRule(id, { mode }, revised.etag)}
      reload={() => reloadRule(id)}
      onDone={onClose}
      onClose={onClose}
    >
      <p>
        <Name className="font-semibold">{name}</Name>
        {CONSEQUENCES[mode]}
      </p>
      {mode === "enabled" ? (
        <div className="mt-3">
          <BacktestResult revised={revised} />
        </div>
      ) : null}
    </ConfirmDialog>
  );
}
