package org.fhirstack.gateway.custom;

import java.util.List;
import java.util.Set;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.request.Query;

/** One page of a list that the gateway makes itself. */
final class Paging {
    static final Set<String> PARAMETERS = Set.of("_count", "_page");
    private static final int USUAL = 20;
    private static final int MOST = 1_000;
    private final Query query;
    private final int count;
    private final int page;

    /** Pages are counted from 1; a page has at most {@value #MOST} entries, whatever is asked for. */
    Paging(Parameters parameters) {
        query = parameters.query();
        count = Math.min(MOST, parameters.number("_count", USUAL));
        page = parameters.number("_page", 1);
        if (page < 1) {
            throw Refusal.malformed("Pages are counted from 1.");
        }
    }

    <T> List<T> of(List<T> all) {
        long from = Math.min(all.size(), (long) (page - 1) * count);
        return all.subList((int) from, (int) Math.min(all.size(), from + count));
    }

    /** The frame of the page, with links to its neighbours. */
    SearchSet frame(int total, String address) {
        SearchSet frame = new SearchSet(total, url(address, page));
        if (count > 0 && (long) page * count < total) {
            frame.link("next", url(address, page + 1));
        }
        if (count > 0 && page > 1) {
            frame.link("previous", url(address, page - 1));
        }
        return frame;
    }

    private String url(String address, int number) {
        return address + "?" + query.without(PARAMETERS).plus("_count", String.valueOf(count))
                .plus("_page", String.valueOf(number)).encode();
    }
}
