package sparkplug

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// conformance has a test for each assertion of the specification that concerns
// a host's logic. Those of the connection are tested in package link.
// CONFORMANCE.md lists all.
var conformance = map[string]func(*testing.T){
	// The birth: spBv1.0/STATE/{host}.
	"tck-id-conformance-primary-host":                                                        stateBirthAndDeath,
	"tck-id-host-topic-phid-birth-qos":                                                       stateBirthAtQoS1,
	"tck-id-operational-behavior-host-application-connect-birth-qos":                         stateBirthAtQoS1,
	"tck-id-host-topic-phid-birth-retain":                                                    stateBirthRetained,
	"tck-id-operational-behavior-host-application-connect-birth-retained":                    stateBirthRetained,
	"tck-id-payloads-state-birth":                                                            stateBirthRetained,
	"tck-id-host-topic-phid-birth-topic":                                                     stateTopics,
	"tck-id-operational-behavior-host-application-connect-birth-topic":                       stateTopics,
	"tck-id-host-topic-phid-birth-payload":                                                   stateBirthPayload,
	"tck-id-operational-behavior-host-application-connect-birth-payload":                     stateBirthPayload,
	"tck-id-message-flow-phid-sparkplug-state-publish-payload":                               stateBirthPayload,
	"tck-id-payloads-state-birth-payload":                                                    stateBirthPayload,
	"tck-id-host-topic-phid-birth-payload-timestamp":                                         stateTimestampOfTheWill,
	"tck-id-message-flow-phid-sparkplug-state-publish-payload-timestamp":                     stateTimestampOfTheWill,
	"tck-id-operational-behavior-host-application-multi-server-timestamp":                    stateTimestampPerServer,
	"tck-id-message-flow-hid-sparkplug-state-message-delivered":                              stateOfflineIsAnswered,
	"tck-id-operational-behavior-host-application-host-id":                                   hostIDIsChecked,
	"tck-id-operational-behavior-primary-application-state-with-multiple-servers-state-subs": stateBirthAndDeath,

	// The death.
	"tck-id-host-topic-phid-death-topic":                                                  stateTopics,
	"tck-id-operational-behavior-host-application-death-topic":                            stateTopics,
	"tck-id-operational-behavior-host-application-connect-will-topic":                     stateTopics,
	"tck-id-host-topic-phid-death-qos":                                                    stateDeathAtQoS1,
	"tck-id-operational-behavior-host-application-death-qos":                              stateDeathAtQoS1,
	"tck-id-operational-behavior-host-application-connect-will-qos":                       stateDeathAtQoS1,
	"tck-id-host-topic-phid-death-retain":                                                 stateDeathRetained,
	"tck-id-operational-behavior-host-application-death-retained":                         stateDeathRetained,
	"tck-id-operational-behavior-host-application-connect-will-retained":                  stateDeathRetained,
	"tck-id-host-topic-phid-death-payload":                                                stateDeathPayload,
	"tck-id-operational-behavior-host-application-death-payload":                          stateDeathPayload,
	"tck-id-operational-behavior-host-application-connect-will-payload":                   stateDeathPayload,
	"tck-id-payloads-state-will-message-payload":                                          stateDeathPayload,
	"tck-id-host-topic-phid-death-payload-timestamp-connect":                              stateWillHasThePresentTime,
	"tck-id-host-topic-phid-death-payload-timestamp-disconnect-clean":                     stateDeathHasThePresentTime,
	"tck-id-host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet": stateDeathHasThePresentTime,

	// Commands: the rebirth request is the only one.
	"tck-id-operational-behavior-data-commands-ncmd-verb":          rebirthIsAnNCMD,
	"tck-id-operational-behavior-data-commands-ncmd-rebirth-verb":  rebirthIsAnNCMD,
	"tck-id-topics-ncmd-topic":                                     rebirthIsAnNCMD,
	"tck-id-topics-ncmd-payload":                                   rebirthMetricIsTrue,
	"tck-id-operational-behavior-data-commands-ncmd-rebirth-name":  rebirthMetricIsTrue,
	"tck-id-operational-behavior-data-commands-ncmd-rebirth-value": rebirthMetricIsTrue,
	"tck-id-operational-behavior-data-commands-ncmd-metric-name":   rebirthMetricIsTrue,
	"tck-id-operational-behavior-data-commands-ncmd-metric-value":  rebirthMetricIsTrue,
	"tck-id-payloads-name-requirement":                             rebirthMetricIsTrue,
	"tck-id-payloads-alias-data-cmd-requirement":                   rebirthHasNoAlias,
	"tck-id-topics-ncmd-mqtt":                                      rebirthAtQoS0,
	"tck-id-payloads-ncmd-qos":                                     rebirthAtQoS0,
	"tck-id-payloads-ncmd-retain":                                  rebirthAtQoS0,
	"tck-id-topics-ncmd-timestamp":                                 rebirthTimestamp,
	"tck-id-payloads-ncmd-timestamp":                               rebirthTimestamp,
	"tck-id-payloads-name-cmd-requirement":                         rebirthTimestamp,
	"tck-id-payloads-timestamp-in-UTC":                             rebirthTimestamp,
	"tck-id-payloads-metric-timestamp-in-UTC":                      rebirthTimestamp,
	"tck-id-payloads-ncmd-seq":                                     rebirthHasNoSequenceNumber,
	"tck-id-payloads-metric-datatype-value-type":                   rebirthDatatype,
	"tck-id-payloads-metric-datatype-value":                        rebirthDatatype,

	// Order.
	"tck-id-operational-behavior-host-reordering-param":   reorderTimeoutIsAParameter,
	"tck-id-operational-behavior-host-reordering-start":   reorderTimerStarts,
	"tck-id-operational-behavior-host-reordering-rebirth": reorderTimeoutRequestsRebirth,
	"tck-id-operational-behavior-host-reordering-success": reorderSucceeds,

	// What a host does at a death.
	"tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline":       ndeathNodeOffline,
	"tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale":    ndeathNodeStale,
	"tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-offline":    ndeathDevicesOffline,
	"tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale": ndeathDevicesStale,
	"tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-offline":    ddeathDeviceOffline,
	"tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale": ddeathDeviceStale,

	// Topics, which hosts publish and read.
	"tck-id-topic-structure":                                                  topicStructure,
	"tck-id-topic-structure-namespace-a":                                      topicStructure,
	"tck-id-topic-structure-namespace-valid-group-id":                         topicIDs,
	"tck-id-topic-structure-namespace-valid-edge-node-id":                     topicIDs,
	"tck-id-topic-structure-namespace-valid-device-id":                        topicIDs,
	"tck-id-topic-structure-namespace-device-id-associated-message-types":     topicDevice,
	"tck-id-topic-structure-namespace-device-id-non-associated-message-types": topicDevice,
	"tck-id-topic-structure-namespace-unique-edge-node-descriptor":            sessionsAreOfGroupAndNode,
	"tck-id-payloads-nbirth-edge-node-descriptor":                             sessionsAreOfGroupAndNode,
	"tck-id-topic-structure-namespace-unique-device-id":                       sameDeviceIDBehindTwoNodes,
	"tck-id-topic-structure-namespace-duplicate-device-id-across-edge-node":   sameDeviceIDBehindTwoNodes,

	// What edge nodes must send, and what becomes of it where they do not.
	"tck-id-payloads-sequence-num-always-included":                          sequenceNumberRequired,
	"tck-id-payloads-ndata-seq":                                             sequenceNumberRequired,
	"tck-id-payloads-ddata-seq":                                             sequenceNumberRequired,
	"tck-id-payloads-dbirth-seq":                                            sequenceNumberRequired,
	"tck-id-payloads-ddeath-seq":                                            sequenceNumberRequired,
	"tck-id-payloads-ddeath-seq-number":                                     sequenceNumberRequired,
	"tck-id-payloads-sequence-num-req-nbirth":                               nbirthSequenceNumber,
	"tck-id-payloads-nbirth-seq":                                            nbirthSequenceNumber,
	"tck-id-topics-nbirth-seq-num":                                          nbirthSequenceNumber,
	"tck-id-payloads-sequence-num-incrementing":                             sequenceNumberWraps,
	"tck-id-payloads-ndata-seq-inc":                                         sequenceNumberWraps,
	"tck-id-payloads-ddata-seq-inc":                                         sequenceNumberWraps,
	"tck-id-payloads-dbirth-seq-inc":                                        sequenceNumberWraps,
	"tck-id-payloads-ddeath-seq-inc":                                        sequenceNumberWraps,
	"tck-id-topics-ndata-seq-num":                                           sequenceNumberWraps,
	"tck-id-topics-ddata-seq-num":                                           sequenceNumberWraps,
	"tck-id-topics-dbirth-seq":                                              sequenceNumberWraps,
	"tck-id-topics-ddeath-seq-num":                                          sequenceNumberWraps,
	"tck-id-payloads-ndeath-seq":                                            ndeathWithoutSequenceNumber,
	"tck-id-topics-ndeath-seq":                                              ndeathWithoutSequenceNumber,
	"tck-id-payloads-ndeath-bdseq":                                          ndeathMatchesBdSeq,
	"tck-id-payloads-nbirth-bdseq":                                          ndeathMatchesBdSeq,
	"tck-id-payloads-nbirth-bdseq-repeat":                                   ndeathMatchesBdSeq,
	"tck-id-topics-nbirth-bdseq-included":                                   ndeathMatchesBdSeq,
	"tck-id-topics-nbirth-bdseq-matching":                                   ndeathMatchesBdSeq,
	"tck-id-topics-ndeath-payload":                                          ndeathMatchesBdSeq,
	"tck-id-operational-behavior-data-commands-rebirth-action-3":            rebirthKeepsBdSeq,
	"tck-id-payloads-alias-birth-requirement":                               aliasesComeFromBirths,
	"tck-id-payloads-alias-uniqueness":                                      aliasesAreUnique,
	"tck-id-payloads-metric-datatype-req":                                   datatypeComesFromTheBirth,
	"tck-id-payloads-metric-datatype-not-req":                               datatypeComesFromTheBirth,
	"tck-id-topics-nbirth-metric-reqs":                                      metricOutsideTheBirth,
	"tck-id-topics-dbirth-metric-reqs":                                      metricOutsideTheBirth,
	"tck-id-operational-behavior-data-publish-nbirth":                       metricOutsideTheBirth,
	"tck-id-operational-behavior-data-publish-dbirth":                       metricOutsideTheBirth,
	"tck-id-operational-behavior-data-publish-nbirth-values":                nullHasNoValue,
	"tck-id-operational-behavior-data-publish-dbirth-values":                nullHasNoValue,
	"tck-id-payloads-name-birth-data-requirement":                           metricTimestamps,
	"tck-id-payloads-dbirth-order":                                          devicesThatAreNotBornAgain,
	"tck-id-payloads-ndata-order":                                           dataBeforeTheBirth,
	"tck-id-payloads-ddata-order":                                           dataBeforeTheBirth,
	"tck-id-message-flow-device-birth-publish-nbirth-wait":                  dataBeforeTheBirth,
	"tck-id-message-flow-device-birth-publish-dbirth-match-edge-node-topic": sessionsAreOfGroupAndNode,
	"tck-id-payloads-propertyset-quality-value-value":                       qualityIsHeeded,
	"tck-id-payloads-propertyset-quality-value-type":                        qualityIsHeeded,
	"tck-id-payloads-propertyset-keys-array-size":                           propertiesOfUnequalNumber,
	"tck-id-payloads-propertyset-values-array-size":                         propertiesOfUnequalNumber,
}

func TestConformance(t *testing.T) {
	for id, test := range conformance {
		t.Run(id, test)
	}
}

// CONFORMANCE.md and the tests name the same assertions, each once.
func TestConformanceIsListed(t *testing.T) {
	text, err := os.ReadFile("CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile("`(tck-id-[A-Za-z0-9-]+)`").FindAllSubmatch(text, -1)
	seen := make(map[string]int)
	for _, m := range all {
		seen[string(m[1])]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s: listed %d times want once", id, n)
		}
	}
	const heading = "## Tested here"
	_, section, ok := strings.Cut(string(text), heading)
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for id := range conformance {
		if !strings.Contains(section, "`"+id+"`") {
			t.Errorf("%s: not listed under %q", id, heading)
		}
	}
	if got, want := strings.Count(section, "`tck-id-"), len(conformance); got != want {
		t.Errorf("listed under %q: got %d want the %d that have a test", heading, got, want)
	}
}
