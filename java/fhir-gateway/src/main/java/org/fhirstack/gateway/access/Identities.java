package org.fhirstack.gateway.access;

import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Existing.Current;

/**
 * Which entry of a transaction writes which resource. FHIR R4 forbids two entries for one (http.html, "Transaction
 * Processing Rules"): HAPI then loses what the one or the other says, and of equal conditions answers only one.
 */
final class Identities {
    private final boolean transaction;
    private final CurrentStates states;
    private final Map<String, Integer> entries = new HashMap<>();

    /** @param transaction false for a batch, where entries are done one by one */
    Identities(boolean transaction, CurrentStates states) {
        this.transaction = transaction;
        this.states = states;
    }

    /** @param ifNoneExist a create's condition, as a URL; null without */
    void add(int index, Write write, String ifNoneExist) {
        if (!transaction) {
            return;
        }
        if (ifNoneExist != null) {
            alone(index, write.type, key(write.type, Query.parse(ifNoneExist.substring(ifNoneExist.indexOf('?') + 1))));
        } else if (write.id != null) {
            alone(index, write.type, write.url());
        } else if (write.condition != null) {
            alone(index, write.type, key(write.type, write.condition));
            Current current = states.of(write);
            if (current != null) {
                alone(index, write.type, write.type + "/" + current.id());
            }
        }
    }

    private static String key(String type, Query condition) {
        return type + "?" + condition.params().stream().map(p -> Query.of(p.name(), p.value()).encode()).sorted()
                .distinct().collect(Collectors.joining("&"));
    }

    private void alone(int index, String type, String key) {
        Integer other = entries.putIfAbsent(key, index);
        if (other != null) {
            throw Refusal.malformed("it writes the same " + type + " as Bundle.entry[" + other + "]; a transaction may"
                    + " have one entry for each resource.");
        }
    }
}
